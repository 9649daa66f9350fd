import { Type, type TSchema } from "@sinclair/typebox";
import type { Random } from "#platform/random.ts";

/** An optional key whose null means absent. */
export const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
/** Names of users, projects and credentials. */
export const nameSchema = Type.String({ minLength: 1, maxLength: 64, pattern: "^[^\\u0000-\\u001f\\u007f]+$" });
export const passwordSchema = Type.String({ minLength: 8, maxLength: 4096 });

/** Keystone's form of an id: 32 hexadecimal digits. */
export const hexId = (random: Random): string => random.uuid().replaceAll("-", "");

const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
/** Random text that is easy to type, 5 bits a character. */
export const randomText = (random: Random, length: number): string =>
  Array.from(random.bytes(length), (byte) => alphabet.charAt(byte % alphabet.length)).join("");

/** A query parameter; a repeated one arrives as an array. */
export const parameter = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]));
/** The first text of a query parameter; undefined when it is absent or empty. */
export const textOf = (value: unknown): string | undefined => {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" && first !== "" ? first : undefined;
};
