import type { Command } from "commander";
import { wholeNumber } from "../support/command.ts";
import { severalTags } from "../support/tags.ts";
import type { WireTag } from "../support/tags.ts";

export interface VaultSettings {
  autoBind?: boolean;
  bindTag?: WireTag[] | false;
  autoExpand?: boolean;
  alerts?: boolean;
  threshold?: number;
}

/** What a vault can be made with and be changed to. */
export const vaultSettings = (command: Command): Command =>
  command
    .option("--auto-bind", "bind unprotected resources of its kind by itself")
    .option("--bind-tag <key=value>", "only those with this tag, or another one that is given so; up to 5", severalTags)
    .option("--auto-expand", "grow to 1.25 times its size whenever it is full")
    .option("--threshold <percent>", "used part of the capacity at which an alert is raised", wholeNumber(1, 100))
    .option("--no-alerts", "raise no alert");

/** The settings as CBR takes them; what was not given is left out. */
export const settingsBody = ({ autoBind, bindTag, autoExpand, alerts, threshold }: VaultSettings): Record<string, unknown> => ({
  ...(autoBind === undefined ? {} : { auto_bind: autoBind }),
  ...(bindTag === undefined ? {} : { bind_rules: { tags: bindTag === false ? [] : bindTag } }),
  ...(autoExpand === undefined ? {} : { auto_expand: autoExpand }),
  ...(alerts === undefined ? {} : { smn_notify: alerts }),
  ...(threshold === undefined ? {} : { threshold }),
});
