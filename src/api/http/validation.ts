import { OptionalKind, type TSchema } from "@sinclair/typebox";
import { TypeCompiler, type ValueError } from "@sinclair/typebox/compiler";
import { DomainError } from "#model/errors.ts";

/** Throws `invalidRequest` naming the field when the value is not as the schema says. */
export type Validator = (value: unknown) => void;

/** The error a person can act on: of a union, that of its first kind which is not null. */
function innermost(error: ValueError): ValueError {
  const kinds = error.errors.map((iterator) => iterator.First());
  const chosen = kinds.find((kind) => kind !== undefined && kind.schema["type"] !== "null");
  return chosen === undefined ? error : innermost(chosen);
}

const fieldOf = (path: string, where: string): string => path.slice(1).replaceAll("/", ".").slice(0, 200) || where;

function describe({ message, schema }: ValueError): string {
  if (typeof schema["pattern"] === "string" && message.includes("match")) return "has characters that are not allowed or the wrong form";
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** Compiles the schema once. `where` names the whole value, such as `body`. */
export function compileValidator(schema: TSchema | undefined, where: string): Validator | undefined {
  if (schema === undefined) return undefined;
  const compiled = TypeCompiler.Compile(schema);
  const mayBeAbsent = OptionalKind in schema;
  return (value) => {
    if (value === undefined && mayBeAbsent) return;
    if (compiled.Check(value)) return;
    const first = compiled.Errors(value).First();
    if (value === undefined || first === undefined) throw new DomainError("invalidRequest", `${where}: is required`, { field: where });
    const error = innermost(first);
    const field = fieldOf(error.path, where);
    throw new DomainError("invalidRequest", `${field}: ${describe(error)}`, { field });
  };
}
