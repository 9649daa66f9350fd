import { collectDefaultMetrics, Counter, Registry } from "prom-client";
import type { Figure } from "#services/stats/gatherFigures.ts";
import type { RegisteredRoute } from "./runtime.ts";

const labelNames = ["dialect", "operation", "status"] as const;

/** Prometheus figures of this process and of every operation. Requests only add to plain numbers; they become figures when they are asked for. */
export function createMetrics(routes: readonly RegisteredRoute[]): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const figure = (name: string, help: string, valueOf: (entry: { count: number; seconds: number }) => number): void => {
    registry.registerMetric(
      new Counter({
        name,
        help,
        labelNames,
        registers: [],
        collect() {
          this.reset();
          for (const { dialect, route, answers } of routes) {
            for (const [status, entry] of answers) this.inc({ dialect, operation: route.operation, status }, valueOf(entry));
          }
        },
      }),
    );
  };
  figure("opencbr_http_requests_total", "Answers by dialect, operation and status.", (entry) => entry.count);
  figure("opencbr_http_request_seconds_total", "Time from the end of the request's body to its answer.", (entry) => entry.seconds);
  return registry;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** The service's own figures in Prometheus' text form. */
export function renderFigures(figures: readonly Figure[]): string {
  return figures
    .flatMap(({ name, help, kind, values }) => {
      const lines = values.map(({ labels, value }) => {
        const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
        return `opencbr_${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
      });
      return lines.length === 0 ? [] : [`# HELP opencbr_${name} ${help}\n# TYPE opencbr_${name} ${kind}\n`, ...lines];
    })
    .join("");
}
