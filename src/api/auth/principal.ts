import type { Role } from "#model/caller.ts";
import type { ProjectId, TimestampUs } from "#model/ids.ts";

/** What a token or a signed request is good for. */
export type Scope = { kind: "project"; projectId: ProjectId } | { kind: "domain"; domainId: string } | { kind: "unscoped" };

/** Who was authenticated, and how. */
export interface Principal {
  userId: string;
  userName: string;
  /** Domain of the user. */
  domainId: string;
  scope: Scope;
  /** Roles within the scope. */
  roles: readonly Role[];
  /** Of a token; undefined for a signed request. */
  token: TokenFacts | undefined;
  /** Of a signed request. */
  accessKey?: { id: string; isTemporary: boolean };
  /** Of another region's service. */
  peerRegion?: string;
}

export interface TokenFacts {
  id: string;
  issuedAt: TimestampUs;
  expiresAt: TimestampUs;
  /** How the user proved who it is: `password`, `token`. */
  methods: readonly string[];
  /** The application credential that it rests on. */
  credentialId?: string;
}
