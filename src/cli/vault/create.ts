import { type Command, Option } from "commander";
import { clientCommand, several, wholeNumber, withTools } from "../support/command.ts";
import type { Client } from "../support/client.ts";
import type { WireVault } from "../support/wire.ts";
import { settingsBody, vaultSettings } from "./settings.ts";
import type { VaultSettings } from "./settings.ts";

export function vaultCreate(parent: Command): void {
  vaultSettings(clientCommand(parent, "create <name>", "make a vault"))
    .option("--size <gib>", "capacity in GiB", wholeNumber(1), 1000)
    .addOption(new Option("--type <type>", "what it protects").choices(["disk", "server"]).default("disk"))
    .option("--replication", "for copies of backups, not for resources")
    .option("--resource <id>", "bind this resource to it; may be given several times", several)
    .action(
      (
        name: string,
        options: VaultSettings & { size: number; type: "disk" | "server"; replication?: boolean; resource?: string[] },
        command: Command,
      ) =>
        withTools(command, async ({ client, output }) => {
          const vault = await createVault(
            client,
            name,
            options.type,
            options.size,
            options.resource ?? [],
            settingsBody(options),
            options.replication ? "replication" : "backup",
          );
          output.answer({ vault }, () => `vault ${vault.id}`);
        }),
    );
}

/** Makes a vault for disks or servers with these resources bound to it. */
export async function createVault(
  client: Client,
  name: string,
  type: "disk" | "server",
  sizeGib: number,
  resourceIds: string[],
  more: Record<string, unknown> = {},
  protectType: "backup" | "replication" = "backup",
): Promise<WireVault> {
  const resourceType = type === "disk" ? "OS::Cinder::Volume" : "OS::Nova::Server";
  const billing = { size: sizeGib, object_type: type, protect_type: protectType, consistent_level: "crash_consistent", cloud_type: "public" };
  const resources = resourceIds.map((id) => ({ id, type: resourceType }));
  return (await client.cbr<{ vault: WireVault }>("POST", "vaults", { vault: { ...more, name, resources, billing } })).vault;
}
