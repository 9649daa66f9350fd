import { InvalidArgumentError } from "commander";

export interface WireTag {
  key: string;
  value: string;
}

/** Collects an option `key=value` that may be given several times. Without `=` the value is empty. */
export function severalTags(text: string, before: WireTag[] | false | undefined): WireTag[] {
  const at = text.indexOf("=");
  const key = at === -1 ? text : text.slice(0, at);
  if (key === "") throw new InvalidArgumentError("It must be key=value.");
  return [...(before || []), { key, value: at === -1 ? "" : text.slice(at + 1) }];
}
