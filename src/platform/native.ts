import koffi from "koffi";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/**
 * Compression and encryption from buffer to buffer, without an allocation per call. One instance per thread.
 *
 * The Node binary carries zstd and OpenSSL and exports their symbols; calling them directly with reused contexts saves the fixed cost that
 * Node's one-shot functions pay for each call. Where the symbols are missing, the same bytes come from `node:zlib` and `node:crypto`.
 */
export interface Codec {
  readonly name: "native" | "portable";
  /** zstd (RFC 8878) of `plain` at the start of `out`; its length, or 0 when it does not fit there. */
  compress(plain: Uint8Array, out: Uint8Array, level: number): number;
  /** Undoes {@link compress}; the plain length, or -1 when the frame is damaged or does not fit into `out`. */
  decompress(packed: Uint8Array, out: Uint8Array): number;
  /** AES-256-GCM: the ciphertext at the start of `out`, which may be `plain` itself, and the tag into `tag`. Nonce: 12 bytes; tag: 16. */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array, out: Uint8Array, tag: Uint8Array): void;
  /** Opens what {@link seal} wrote, also in place; false, and zeros in `out`, when the tag does not match. */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, tag: Uint8Array, out: Uint8Array): boolean;
}

declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } };

const TAG_BYTES = 16;
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

/** Over `node:zlib` and `node:crypto` alone. */
export function portableCodec(): Codec {
  return {
    name: "portable",
    compress(plain, out, level) {
      const packed = zstdCompressSync(plain, {
        chunkSize: plain.length + (plain.length >> 8) + 1024,
        pledgedSrcSize: plain.length,
        params: { [constants.ZSTD_c_compressionLevel]: level },
      });
      if (packed.length > out.length) return 0;
      out.set(packed);
      return packed.length;
    },
    decompress(packed, out) {
      let plain: Buffer;
      try {
        plain = zstdDecompressSync(packed, { chunkSize: Math.max(64, out.length), maxOutputLength: Math.max(1, out.length) });
      } catch {
        return -1;
      }
      out.set(plain);
      return plain.length;
    },
    seal(key, nonce, aad, plain, out, tag) {
      requireLengths(key, nonce, tag, out, plain.length);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      cipher.setAAD(aad);
      out.set(cipher.update(plain));
      cipher.final();
      tag.set(cipher.getAuthTag());
    },
    open(key, nonce, aad, sealed, tag, out) {
      requireLengths(key, nonce, tag, out, sealed.length);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(aad);
      decipher.setAuthTag(tag);
      const plain = decipher.update(sealed);
      try {
        decipher.final();
      } catch {
        out.fill(0, 0, sealed.length);
        return false;
      }
      out.set(plain);
      return true;
    },
  };
}

/** Over the symbols of the running binary; undefined when it does not export them. */
export function nativeCodec(): Codec | undefined {
  let calls;
  try {
    calls = bind();
  } catch {
    return undefined;
  }
  const { compressCCtx, decompressDCtx, encryptInit, encryptUpdate, encryptFinal, decryptInit, decryptUpdate, decryptFinal, control } = calls;
  const { cctx, dctx, encryptor, decryptor } = calls;
  const moved = new Int32Array(1);
  const rest = Buffer.alloc(TAG_BYTES);
  const check = (ok: number, what: string): void => {
    if (ok !== 1) throw new Error(`OpenSSL refused ${what}`);
  };
  return {
    name: "native",
    compress(plain, out, level) {
      return Math.max(0, Number(compressCCtx(cctx, out, out.length, plain, plain.length, level)));
    },
    decompress(packed, out) {
      return Math.max(-1, Number(decompressDCtx(dctx, out, out.length, packed, packed.length)));
    },
    seal(key, nonce, aad, plain, out, tag) {
      requireLengths(key, nonce, tag, out, plain.length);
      check(encryptInit(encryptor, null, null, key, nonce), "the key or nonce");
      if (aad.length > 0) check(encryptUpdate(encryptor, null, moved, aad, aad.length), "the associated data");
      if (plain.length > 0) check(encryptUpdate(encryptor, out, moved, plain, plain.length), "the plain bytes");
      check(encryptFinal(encryptor, rest, moved), "to finish");
      check(control(encryptor, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag), "the tag");
    },
    open(key, nonce, aad, sealed, tag, out) {
      requireLengths(key, nonce, tag, out, sealed.length);
      check(decryptInit(decryptor, null, null, key, nonce), "the key or nonce");
      if (aad.length > 0) check(decryptUpdate(decryptor, null, moved, aad, aad.length), "the associated data");
      if (sealed.length > 0) check(decryptUpdate(decryptor, out, moved, sealed, sealed.length), "the ciphertext");
      check(control(decryptor, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag), "the tag");
      if (decryptFinal(decryptor, rest, moved) === 1) return true;
      out.fill(0, 0, sealed.length);
      return false;
    },
  };
}

let threadCodec: Codec | undefined;

/** This thread's codec: native where possible. */
export function codec(): Codec {
  return (threadCodec ??= nativeCodec() ?? portableCodec());
}

/** Zeroed memory whose first byte lies on a page boundary, as `O_DIRECT` wants it. `bytes` is rounded up to 64 KiB. */
export function pageAligned(bytes: number): Uint8Array {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
  const aligned = new Uint8Array(memory.buffer);
  alignedBuffers.add(memory.buffer);
  return aligned;
}

/** True where `bytes` is known to start on a boundary of 4,096 bytes. */
export function isPageAligned(bytes: Uint8Array): boolean {
  return bytes.byteOffset % 4096 === 0 && alignedBuffers.has(bytes.buffer);
}

const alignedBuffers = new WeakSet<object>();

function requireLengths(key: Uint8Array, nonce: Uint8Array, tag: Uint8Array, out: Uint8Array, needed: number): void {
  if (key.length === 32 && nonce.length === 12 && tag.length === TAG_BYTES && out.length >= needed) return;
  throw new RangeError(
    `AES-256-GCM with a key of ${key.length}, a nonce of ${nonce.length}, a tag of ${tag.length} and room for ${out.length} of ${needed}`,
  );
}

function bind() {
  const binary = koffi.load(null);
  const cctx = binary.func("void *ZSTD_createCCtx()")();
  const dctx = binary.func("void *ZSTD_createDCtx()")();
  const newCipher = binary.func("void *EVP_CIPHER_CTX_new()");
  const aes = binary.func("void *EVP_aes_256_gcm()")();
  const encryptInit = binary.func("int EVP_EncryptInit_ex(void *, void *, void *, void *, void *)");
  const decryptInit = binary.func("int EVP_DecryptInit_ex(void *, void *, void *, void *, void *)");
  const encryptor = newCipher();
  const decryptor = newCipher();
  if (!cctx || !dctx || !encryptor || !decryptor) throw new Error("no memory for zstd or OpenSSL contexts");
  if (encryptInit(encryptor, aes, null, null, null) !== 1 || decryptInit(decryptor, aes, null, null, null) !== 1) throw new Error("no AES-256-GCM");
  return {
    cctx,
    dctx,
    encryptor,
    decryptor,
    encryptInit,
    decryptInit,
    // zstd returns size_t; its error codes are the highest ones, so they are negative here.
    compressCCtx: binary.func("int64_t ZSTD_compressCCtx(void *, void *, size_t, void *, size_t, int)"),
    decompressDCtx: binary.func("int64_t ZSTD_decompressDCtx(void *, void *, size_t, void *, size_t)"),
    encryptUpdate: binary.func("int EVP_EncryptUpdate(void *, void *, int *, void *, int)"),
    encryptFinal: binary.func("int EVP_EncryptFinal_ex(void *, void *, int *)"),
    decryptUpdate: binary.func("int EVP_DecryptUpdate(void *, void *, int *, void *, int)"),
    decryptFinal: binary.func("int EVP_DecryptFinal_ex(void *, void *, int *)"),
    control: binary.func("int EVP_CIPHER_CTX_ctrl(void *, int, int, void *)"),
  };
}
