import { resolve } from "node:path";
import type { Command } from "commander";
import { clientCommand, several, withTools } from "../support/command.ts";
import { CommandError } from "../support/errors.ts";
import { severalTags } from "../support/tags.ts";
import type { WireTag } from "../support/tags.ts";

interface ServerOptions {
  name: string;
  disk?: string[];
  systemDisk?: string;
  architecture?: string;
  tag?: WireTag[];
}

const tagHelp = "a tag, by which vaults bind it; may be given several times";

export function resourceAdd(parent: Command): void {
  const add = parent.command("add").description("register something to protect");
  clientCommand(add, "server", "register a server: a set of volumes, one of which it may boot from")
    .requiredOption("--name <name>", "name of the server")
    .option("--system-disk <volume>", "the volume that it boots from")
    .option("--disk <volume>", "a further volume of it, in device order; may be given several times", several)
    .option("--architecture <name>", "CPU architecture, such as x86_64")
    .option("--tag <key=value>", tagHelp, severalTags)
    .action((options: ServerOptions, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const system = options.systemDisk === undefined ? [] : [{ volume_id: options.systemDisk, system_disk: true }];
        const disks = [...system, ...(options.disk ?? []).map((id) => ({ volume_id: id, system_disk: false }))];
        if (disks.length === 0) throw new CommandError("a server needs at least one --disk or --system-disk", { exitCode: 2 });
        const architecture = options.architecture === undefined ? {} : { architecture: options.architecture };
        const answer = await client.own<{ resource: { id: string } }>("POST", "resources", {
          resource: { type: "OS::Nova::Server", name: options.name, disks, ...architecture, tags: options.tag ?? [] },
        });
        output.answer(answer, () => `server ${answer.resource.id}`);
      }),
    );
  clientCommand(add, "file <path>", "register a file of the service's host as a volume; it must lie below a configured source root")
    .requiredOption("--name <name>", "name of the volume")
    .option("--bootable", "a system boots from it")
    .option("--tag <key=value>", tagHelp, severalTags)
    .action((path: string, options: { name: string; bootable?: boolean; tag?: WireTag[] }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const answer = await client.own<{ resource: { id: string } }>("POST", "resources", {
          resource: {
            type: "OS::Cinder::Volume",
            name: options.name,
            path: resolve(path),
            ...(options.bootable === true ? { bootable: true } : {}),
            tags: options.tag ?? [],
          },
        });
        output.answer(answer, () => `volume ${answer.resource.id}`);
      }),
    );
}
