import type { Command } from "commander";
import { clientCommand, several, withTools } from "../support/command.ts";

export function webhookAdd(parent: Command): void {
  clientCommand(parent, "add <url>", "have events of the project sent to an https URL; prints the secret that they are signed with, once")
    .option("--event <type>", "only such events, as task.failed or task.*; may be given several times", several)
    .option("--description <text>", "what it is for")
    .option("--secret <secret>", "sign with this instead of a made one")
    .action((url: string, options: { event?: string[]; description?: string; secret?: string }, command: Command) =>
      withTools(command, async ({ client, output }) => {
        const { event: events, description, secret } = options;
        const answer = await client.own<{ webhook: { id: string; secret: string } }>("POST", "webhooks", {
          webhook: { url, events, description, secret },
        });
        output.answer(answer, () => `webhook  ${answer.webhook.id}\nsecret   ${answer.webhook.secret}`);
      }),
    );
}
