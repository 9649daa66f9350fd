import { Type } from "@sinclair/typebox";

/** A boolean, or one of the texts and numbers that clients send for it. */
export const wireBoolean = Type.Union([Type.Boolean(), Type.String({ maxLength: 8 }), Type.Integer({ minimum: 0, maximum: 1 })]);
/** The user's key/values. */
export const metadataSchema = Type.Record(Type.String({ minLength: 1, maxLength: 255 }), Type.String({ maxLength: 255 }));
/** A whole number, or its digits. */
export const wireInteger = Type.Union([Type.Integer({ minimum: 1, maximum: 2_147_483_647 }), Type.String({ pattern: "^[1-9][0-9]{0,8}$" })]);
