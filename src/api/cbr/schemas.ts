import { Type, type TSchema } from "@sinclair/typebox";

/** A value that clients may send as null instead of leaving it out. */
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** An optional key whose null means absent. */
export const maybe = <T extends TSchema>(schema: T) => Type.Optional(nullable(schema));

/** Vault, backup and restore point names. */
export const nameSchema = Type.String({ minLength: 1, maxLength: 64, pattern: "^[\\u4E00-\\u9FA5\\uf900-\\ufa2da-zA-Z0-9_\\-]+$" });
export const descriptionSchema = Type.String({ maxLength: 255, pattern: "^[^<>]*$" });
export const idSchema = Type.String({ minLength: 1, maxLength: 64 });

/** A query parameter; repeated ones arrive as an array. */
const parameter = Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())]));
/** Names the query parameters that an operation understands; others are let through unread. */
export const querySchema = (names: readonly string[]) => Type.Object(Object.fromEntries(names.map((name) => [name, parameter])));

/** Path parameters. */
export const paramsSchema = (...names: string[]) => Type.Object(Object.fromEntries(names.map((name) => [name, Type.String()])));

export const tagSchema = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 36 }),
  value: maybe(Type.String({ maxLength: 43 })),
});
export const resourceSchema = Type.Object({
  id: idSchema,
  type: Type.String({ maxLength: 64 }),
  name: maybe(Type.String({ maxLength: 255 })),
  extra_info: maybe(
    Type.Object({
      exclude_volumes: maybe(Type.Array(idSchema, { maxItems: 256 })),
      include_volumes: maybe(Type.Array(Type.Object({ id: idSchema, os_version: maybe(Type.String({ maxLength: 255 })) }), { maxItems: 256 })),
    }),
  ),
});
/** An enterprise project id: text, though some pages print a number. */
export const enterpriseProjectSchema = Type.Union([Type.String({ maxLength: 36 }), Type.Integer({ minimum: 0 })]);
