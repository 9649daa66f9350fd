"""Reads an OpenCBR repository in a folder with nothing but the store and the master key.

Written from docs/format/repository-v1.md alone, to show that the page suffices; it shares no code with the service and wants no speed.

    reader.py --store PATH --key MASTERKEYFILE list
    reader.py --store PATH --key MASTERKEYFILE restore BACKUP_ID OUT
"""

import argparse
import base64
import contextlib
import json
import os
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import zstandard
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MIB = 1024 * 1024
DATA, PAGE = 1, 2
RAW, ZSTD = 0, 1
HOLE = bytes(32)
PLACES = 1024
MAX_PLAIN = 8 * MIB
MAX_RECORDS = 1 << 20
MAX_PAGES = 1 << 22
MAX_PAYLOAD = 256 * MIB
HEADER, RECORD, ENTRY, FOOTER = 32, 72, 96, 80
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class Refused(Exception):
    """Something that did not verify. `name` is one of the page's errors."""

    def __init__(self, name, why):
        super().__init__(f"{name}: {why}")
        self.name = name


def need(condition, name, why):
    if not condition:
        raise Refused(name, why)


def check_version(version, name, where):
    need(version <= 1, "newerFormat", f"{where} has version {version}")
    need(version == 1, name, f"{where} has version {version}")


def derive(context, key):
    return blake3(key, derive_key_context=context).digest()


def keyed(key, content):
    return blake3(content, key=key).digest()


def plain_hash(content):
    return blake3(content).digest()


def unseal(key, nonce, aad, ciphertext, tag, name, where):
    try:
        return AESGCM(key).decrypt(nonce, ciphertext + tag, aad)
    except InvalidTag:
        raise Refused(name, f"{where}: the tag does not verify") from None


def inflate(content, length, name, where):
    """One zstd frame of exactly `length` bytes; nothing longer is produced on the way."""
    try:
        told = zstandard.frame_content_size(content)
        need(told in (-1, length), name, f"{where}: the frame tells {told} bytes, {length} were expected")
        plain = zstandard.ZstdDecompressor().decompress(content, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Refused(name, f"{where}: {error}") from None
    need(len(plain) == length, name, f"{where}: {len(plain)} bytes instead of {length}")
    return plain


def groups(content, offset, count, width, name, where):
    """Ids told as `holes || n || n ids` until `count` are told; the end of `content` must be the end of the last group."""
    layout = struct.Struct("<HH" if width == 2 else "<II")
    ids, last = [], False
    while len(ids) < count:
        need(not last, name, f"{where}: a group follows one without ids")
        need(offset + layout.size <= len(content), name, f"{where}: ends within a group")
        holes, n = layout.unpack_from(content, offset)
        offset += layout.size
        need(holes > 0 or not ids, name, f"{where}: a group without holes that is not the first")
        need(len(ids) + holes + n <= count, name, f"{where}: more than {count} places")
        need(offset + 32 * n <= len(content), name, f"{where}: ends within the ids")
        need(holes + n > 0, name, f"{where}: an empty group")
        ids.extend([HOLE] * holes)
        for _ in range(n):
            one = content[offset : offset + 32]
            need(one != HOLE, name, f"{where}: an id of zeros")
            ids.append(one)
            offset += 32
        last = n == 0
    need(offset == len(content), name, f"{where}: something follows the last group")
    return ids


def read_master_key(path):
    need(os.stat(path).st_mode & 0o077 == 0, "wrongMasterKey", f"{path} is open to others")
    lines = Path(path).read_text("utf-8").splitlines()
    need(len(lines) == 2 and lines[0] == "opencbr-master-key-v1", "wrongMasterKey", f"{path} is no master key file")
    text = lines[1]
    try:
        key = bytes.fromhex(text) if re.fullmatch("[0-9a-fA-F]{64}", text) else base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    need(len(key) == 32, "wrongMasterKey", f"{path} does not hold 32 bytes")
    return key


@dataclass
class Place:
    """Where a record is, as its trailer entry (or a scan) tells."""

    path: Path
    pack_id: bytes
    fields: bytes
    offset: int
    # `hash(tag || ciphertext)` as the trailer tells; None after a scan.
    checksum: bytes | None = None


def record_fields(fields, name, where):
    """(kind, codec, slot, N, plain length, id) of bytes [0, 56) of a record."""
    magic, version, kind, codec, zero, slot, n, plain, zeros, ident = struct.unpack("<4sBBBBIIII32s", fields)
    need(magic == b"OCBC" and version == 1, name, f"{where}: no record of version 1")
    need(kind in (DATA, PAGE) and codec in (RAW, ZSTD) and zero == 0 and zeros == 0, name, f"{where}: header")
    need(1 <= plain <= MAX_PLAIN, name, f"{where}: plain length {plain}")
    need(n == plain if codec == RAW else 0 < n < plain, name, f"{where}: ciphertext of {n} bytes")
    return kind, codec, slot, n, plain, ident


def pack_header(content, pack_id, where):
    need(len(content) == HEADER, "corruptPack", f"{where}: shorter than its header")
    magic, version, kind, zero, ident = struct.unpack("<8sHB5s16s", content)
    need(magic == b"OCBRPACK", "corruptPack", f"{where}: no pack")
    check_version(version, "corruptPack", where)
    need(kind in (DATA, PAGE) and zero == bytes(5), "corruptPack", f"{where}: header")
    need(ident == pack_id, "corruptPack", f"{where}: it is the pack {ident.hex()}")
    return kind


def places_by_trailer(path, pack_id, file, size):
    where = str(path)
    need(size >= HEADER + FOOTER, "corruptPack", f"{where}: shorter than header and footer")
    file.seek(size - FOOTER)
    footer = file.read(FOOTER)
    magic, version, kind, zero, ident, count, zeros, told, checksum = struct.unpack("<8sHB5s16sIIQ32s", footer)
    need(magic == b"OCBRTAIL", "corruptPack", f"{where}: no footer")
    check_version(version, "corruptPack", where)
    need(kind in (DATA, PAGE) and zero == bytes(5) and zeros == 0 and ident == pack_id, "corruptPack", f"{where}: footer")
    need(told == size, "corruptPack", f"{where}: {size} bytes, the footer tells {told}")
    need(count <= MAX_RECORDS and HEADER + count * ENTRY + FOOTER <= size, "corruptPack", f"{where}: {count} records")
    file.seek(size - FOOTER - count * ENTRY)
    entries = file.read(count * ENTRY)
    need(plain_hash(entries + footer[:48]) == checksum, "corruptPack", f"{where}: the trailer's hash")
    found, offset = [], HEADER
    for slot in range(count):
        entry = entries[slot * ENTRY : (slot + 1) * ENTRY]
        entry_kind, _, entry_slot, n, _, _ = record_fields(entry[:56], "corruptPack", f"{where}, entry {slot}")
        (at,) = struct.unpack_from("<Q", entry, 56)
        need(entry_kind == kind and entry_slot == slot and at == offset, "corruptPack", f"{where}: entry {slot}")
        found.append(Place(path, pack_id, entry[:56], at, entry[64:]))
        offset += RECORD + n
    need(offset == size - FOOTER - len(entries), "corruptPack", f"{where}: a gap before the trailer")
    return found


def places_by_scan(path, pack_id, file, size):
    file.seek(0)
    kind = pack_header(file.read(HEADER), pack_id, path)
    found, offset = [], HEADER
    while offset + RECORD <= size:
        file.seek(offset)
        fields = file.read(56)
        try:
            record_kind, _, slot, n, _, _ = record_fields(fields, "corruptPack", str(path))
        except Refused:
            break
        if record_kind != kind or slot != len(found) or offset + RECORD + n > size:
            break
        found.append(Place(path, pack_id, fields, offset))
        offset += RECORD + n
    return found


def contents(path, pack_id, file, size):
    """Places of a pack's records: from its trailer, else by scan; none, and a line on stderr, when neither can be had."""
    try:
        return places_by_trailer(path, pack_id, file, size)
    except Refused as refused:
        if refused.name == "newerFormat":
            raise
        print(f"{refused}; scanned", file=sys.stderr)
    try:
        return places_by_scan(path, pack_id, file, size)
    except Refused as refused:
        if refused.name == "newerFormat":
            raise
        print(f"{refused}; left out", file=sys.stderr)
        return []


class Tenant:
    def __init__(self, repository, tenant):
        self.folder = repository.objects / "t" / tenant
        self.name = tenant
        need(not (self.folder / "key-destroyed").exists(), "keyDestroyed", f"tenant {tenant}")
        later = self.folder / "keys" / repository.master_key_id
        data_key = repository.unwrap(later if later.exists() else self.folder / "key", tenant)
        self.chunk_id_key = derive("opencbr repository v1: chunk id", data_key)
        self.page_id_key = derive("opencbr repository v1: page id", data_key)
        self.packs_key = derive("opencbr repository v1: packs", data_key)
        self.roots_key = derive("opencbr repository v1: roots", data_key)
        self.index = None

    def backups(self):
        roots = self.folder / "roots"
        return sorted(one.name for one in roots.iterdir()) if roots.exists() else []

    def root(self, backup_id):
        where = f"root {self.name}/{backup_id}"
        content = (self.folder / "roots" / backup_id).read_bytes()
        need(len(content) >= 40, "corruptRoot", f"{where}: shorter than its header")
        magic, version, t, b, zero, salt, length, n = struct.unpack_from("<8sHHHH16sII", content)
        need(magic == b"OCBRROOT", "corruptRoot", f"{where}: no root object")
        check_version(version, "corruptRoot", where)
        need(zero == 0 and length <= MAX_PAYLOAD, "corruptRoot", f"{where}: header")
        head = 40 + t + b
        need(len(content) == head + 16 + n, "corruptRoot", f"{where}: {len(content)} bytes")
        need(content[40 : 40 + t] == self.name.encode(), "corruptRoot", f"{where}: another tenant's")
        need(content[40 + t : head] == backup_id.encode(), "corruptRoot", f"{where}: another backup's")
        key = derive("opencbr repository v1: one root", self.roots_key + salt)
        packed = unseal(key, bytes(12), content[:head], content[head + 16 :], content[head : head + 16], "corruptRoot", where)
        return Root(inflate(packed, length, "corruptRoot", where), self.page_id_key, where)

    def build_index(self):
        self.index = {}
        packs = self.folder / "packs"
        for path in sorted(packs.glob("*/*")) if packs.exists() else []:
            if not re.fullmatch("[0-9a-f]{32}", path.name) or path.parent.name != path.name[:2]:
                continue
            pack_id = bytes.fromhex(path.name)
            size = path.stat().st_size
            with path.open("rb") as file:
                found = contents(path, pack_id, file, size)
            for place in found:
                self.index.setdefault((place.fields[5], place.fields[24:]), []).append(place)

    def open(self, kind, ident):
        """The verified plain bytes of the record of that kind and id; a second copy serves where the first does not verify."""
        if self.index is None:
            self.build_index()
        where = f"{'page' if kind == PAGE else 'chunk'} {ident.hex()}"
        refused = Refused("missingChunk", where)
        for place in self.index.get((kind, ident), []):
            try:
                return self.open_at(place, kind, ident, where)
            except Refused as error:
                refused = error
        raise refused

    def open_at(self, place, kind, ident, where):
        name = "corruptPage" if kind == PAGE else "corruptChunk"
        _, codec, slot, n, plain_length, _ = record_fields(place.fields, name, where)
        with place.path.open("rb") as file:
            file.seek(place.offset)
            record = file.read(RECORD + n)
        need(len(record) == RECORD + n and record[:56] == place.fields, name, f"{where}: its header is another than the trailer's")
        need(place.checksum in (None, plain_hash(record[56:])), name, f"{where}: the hash in the trailer")
        key = derive("opencbr repository v1: one pack", self.packs_key + place.pack_id)
        nonce = struct.pack("<I8x", slot)
        plain = unseal(key, nonce, place.pack_id + record[:56], record[RECORD:], record[56:RECORD], name, where)
        if codec == ZSTD:
            plain = inflate(plain, plain_length, name, where)
        need(len(plain) == plain_length, name, f"{where}: its length")
        need(keyed(self.page_id_key if kind == PAGE else self.chunk_id_key, plain) == ident, name, f"{where}: its id")
        return plain

    def restore(self, backup_id, out):
        root = self.root(backup_id)
        chunks = -(-root.size // root.chunk)
        os.ftruncate(out.fileno(), root.size)
        for p, page_id in enumerate(root.pages):
            if page_id == HOLE:
                continue
            where = f"page {page_id.hex()}"
            page = self.open(PAGE, page_id)
            check_version(page[0], "corruptPage", where)
            for i, ident in enumerate(groups(page, 1, PLACES, 2, "corruptPage", where)):
                if ident == HOLE:
                    continue
                number = p * PLACES + i
                need(number < chunks, "corruptPage", f"{where}: a chunk behind the disk's end")
                start = number * root.chunk
                plain = self.open(DATA, ident)
                need(len(plain) == min(root.chunk, root.size - start), "corruptChunk", f"chunk {ident.hex()}: not as long as its place")
                out.seek(start)
                out.write(plain)


class Root:
    """The payload of a root object, its Merkle root verified."""

    def __init__(self, payload, page_id_key, where):
        need(len(payload) >= 52, "corruptRoot", f"{where}: payload")
        self.size, self.chunk, count, self.merkle, j = struct.unpack_from("<QII32sI", payload)
        need(self.size < 1 << 53, "corruptRoot", f"{where}: size")
        chunk = self.chunk
        need(64 * 1024 <= chunk <= 4 * MIB and chunk & (chunk - 1) == 0, "corruptRoot", f"{where}: bytes per chunk")
        need(count == -(-(-(-self.size // chunk)) // PLACES) and count <= MAX_PAGES, "corruptRoot", f"{where}: {count} pages")
        need(52 + j <= len(payload), "corruptRoot", f"{where}: JSON")
        try:
            self.told = json.loads(payload[52 : 52 + j].decode("utf-8"))
        except ValueError:
            raise Refused("corruptRoot", f"{where}: JSON") from None
        self.pages = groups(payload, 52 + j, count, 4, "corruptRoot", where)
        whole = b"\xffroot" + struct.pack("<QII", self.size, chunk, count) + b"".join(self.pages)
        need(keyed(page_id_key, whole) == self.merkle, "corruptRoot", f"{where}: Merkle root")


class Repository:
    def __init__(self, store, key_path):
        self.objects = Path(store) / "objects"
        self.master_key = read_master_key(key_path)
        self.master_key_id = derive("opencbr repository v1: master key id", self.master_key)[:16].hex()
        self.wrap = derive("opencbr repository v1: tenant key wrapping", self.master_key)
        try:
            content = (self.objects / "opencbr-repository.json").read_bytes()
            need(len(content) <= 64 * 1024, "notARepository", "the record is too long")
            record = json.loads(content.decode("utf-8"))
        except (FileNotFoundError, ValueError) as error:
            raise Refused("notARepository", error) from None
        need(isinstance(record, dict) and record.get("format") == "opencbr-repository", "notARepository", "the record is something else")
        need(isinstance(record.get("version"), int), "notARepository", "the record has no version")
        check_version(record["version"], "notARepository", "the repository")
        listed = self.objects / "master-keys"
        keys = [one.name for one in listed.iterdir()] if listed.exists() else []
        if keys:
            need(self.master_key_id in keys, "wrongMasterKey", "the key is not listed")
        else:
            check = derive("opencbr repository v1: master key check", self.master_key + record["repositoryId"].encode())
            need(check.hex() == record["masterKeyCheck"], "wrongMasterKey", "the check differs")

    def unwrap(self, path, tenant):
        where = f"the wrapped key of tenant {tenant}"
        need(path.exists(), "wrongMasterKey", f"{where} is not there")
        content = path.read_bytes()
        need(len(content) >= 12, "wrongMasterKey", f"{where}: too short")
        magic, version, t = struct.unpack_from("<8sHH", content)
        need(magic == b"OCBRTKEY", "wrongMasterKey", f"{where}: something else")
        check_version(version, "wrongMasterKey", where)
        need(len(content) == 72 + t and content[12 : 12 + t] == tenant.encode(), "wrongMasterKey", f"{where}: another tenant's")
        nonce, sealed, tag = content[12 + t : 24 + t], content[24 + t : 56 + t], content[56 + t :]
        return unseal(self.wrap, nonce, content[: 12 + t], sealed, tag, "wrongMasterKey", where)

    def tenants(self):
        folder = self.objects / "t"
        names = sorted(one.name for one in folder.iterdir()) if folder.exists() else []
        return [one for one in names if NAME.fullmatch(one)]

    def find(self, backup_id):
        need(NAME.fullmatch(backup_id), "notFound", f"{backup_id} is no backup id")
        for name in self.tenants():
            if (self.objects / "t" / name / "roots" / backup_id).exists():
                return Tenant(self, name)
        raise Refused("notFound", f"no root object of {backup_id}")


def main():
    parser = argparse.ArgumentParser(description="reads an OpenCBR repository, version 1")
    parser.add_argument("--store", required=True)
    parser.add_argument("--key", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="one line of JSON for each backup")
    restore = commands.add_parser("restore", help="writes a backup into a new sparse file")
    restore.add_argument("backup_id")
    restore.add_argument("out")
    given = parser.parse_args()
    try:
        repository = Repository(given.store, given.key)
        if given.command == "list":
            for name in repository.tenants():
                if (repository.objects / "t" / name / "key-destroyed").exists():
                    print(f"keyDestroyed: tenant {name}; left out", file=sys.stderr)
                    continue
                tenant = Tenant(repository, name)
                for backup_id in tenant.backups():
                    root = tenant.root(backup_id)
                    told = {"tenant": name, "backupId": backup_id, "baseId": root.told["baseId"], "sizeBytes": root.size}
                    print(json.dumps(told | {"chunkBytes": root.chunk, "merkleRoot": root.merkle.hex()}))
            return
        tenant = repository.find(given.backup_id)
        with open(given.out, "xb") as out:
            try:
                tenant.restore(given.backup_id, out)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(given.out)
                raise
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
