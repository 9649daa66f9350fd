import type { Id, ProjectId, TimestampUs } from "./ids.ts";

/** How a caller proved who it is; `none` where it could not, or nobody asked. */
export type CredentialKind = "token" | "accessKey" | "temporaryAccessKey" | "none";

/** One call that changes something, or was to: who, what, when, from where, and how it ended. No body and no secret is ever in it. */
export interface AuditEntry {
  id: Id;
  /** Whose log it is in: the project that the caller acted for, or, of an unknown caller, the one that its path named. Empty = none. */
  projectId: ProjectId;
  /** The project that the path named; null where it names none. */
  targetProjectId: string | null;
  userId: string;
  userName: string;
  domainId: string;
  credential: CredentialKind;
  /** The token's id (not the token), or the access key's. */
  credentialId: string | null;
  dialect: string;
  /** The operation's name in the tables of docs/compatibility, such as `CreateVault`. */
  operation: string;
  /** The permission that it needs, such as `cbr:vaults:create`. */
  action: string;
  /** The published name of the event in the cloud's trace service, such as `createVault`, where there is one. */
  event: string | null;
  resourceType: string | null;
  resourceId: string | null;
  resourceName: string | null;
  requestId: string;
  address: string;
  /** HTTP status of the answer; null = no answer is known: the call is in work, or the service died during it. */
  status: number | null;
  errorCode: string | null;
  /** Calls that this entry stands for: more than one only for pieces of data written to one volume. */
  times: number;
  createdAt: TimestampUs;
  /** When it was answered; of several calls, the last. */
  endedAt: TimestampUs | null;
}
