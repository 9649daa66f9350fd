/**
 * What can go wrong, in our own stable words. A dialect renders each as its own body and code (docs/errors.md).
 * `status` is the HTTP status; `cbr` and `vbs` the codes of those dialects where one is published.
 */
export interface ErrorKind {
  status: number;
  /** `BackupService.NNNN` */
  cbr: string;
  /** What VBS's own operations say. */
  vbs?: string;
}

export const errorKinds = {
  invalidRequest: { status: 400, cbr: "BackupService.9900", vbs: "VolumeBackup.0002" },
  /** A protocol version that is not offered. */
  notAcceptable: { status: 406, cbr: "BackupService.9900" },
  /** An operation that this protocol version does not have. */
  notFound: { status: 404, cbr: "BackupService.9900" },
  /** A byte range outside the data. */
  rangeNotSatisfiable: { status: 416, cbr: "BackupService.9900" },
  forbidden: { status: 403, cbr: "BackupService.9900", vbs: "VolumeBackup.0042" },
  backupNotFound: { status: 404, cbr: "BackupService.6200", vbs: "VolumeBackup.0111" },
  backupNotDeletable: { status: 400, cbr: "BackupService.6201" },
  /** The lock of its vault keeps it until its time is over. */
  backupLocked: { status: 400, cbr: "BackupService.6220" },
  backupRunning: { status: 400, cbr: "BackupService.6203", vbs: "VolumeBackup.0013" },
  backupInUse: { status: 400, cbr: "BackupService.6216" },
  backupNotRestorable: { status: 400, cbr: "BackupService.2005", vbs: "VolumeBackup.0089" },
  /** Something of the backup is lost: it is restored only when asked for with its holes. */
  backupDamaged: { status: 409, cbr: "BackupService.2005", vbs: "VolumeBackup.0089" },
  targetTooSmall: { status: 400, cbr: "BackupService.2001", vbs: "VolumeBackup.0209" },
  targetBeingBackedUp: { status: 400, cbr: "BackupService.2002", vbs: "VolumeBackup.0206" },
  resourceBeingRestored: { status: 400, cbr: "BackupService.2010" },
  diskStatusForbidsRestore: { status: 400, cbr: "BackupService.2011", vbs: "VolumeBackup.0205" },
  badMapping: { status: 400, cbr: "BackupService.2012" },
  dataDiskOntoSystemDisk: { status: 400, cbr: "BackupService.2013" },
  architectureDiffers: { status: 400, cbr: "BackupService.2015" },
  nothingToBackUp: { status: 400, cbr: "BackupService.0001" },
  policyNotFound: { status: 404, cbr: "BackupService.6000" },
  tooManyPolicies: { status: 400, cbr: "BackupService.6001" },
  policyNotApplied: { status: 404, cbr: "BackupService.6002" },
  policyDestinationFrozen: { status: 400, cbr: "BackupService.6003" },
  vaultNotFound: { status: 404, cbr: "BackupService.6105" },
  vaultTooManyResources: { status: 400, cbr: "BackupService.6100" },
  vaultSizeInvalid: { status: 400, cbr: "BackupService.6101" },
  vaultTypeMismatch: { status: 400, cbr: "BackupService.6102" },
  resourceInOtherVault: { status: 400, cbr: "BackupService.6103" },
  resourceGivenTwice: { status: 400, cbr: "BackupService.6104" },
  /** No vault that binds by itself has room: told in the log, because nobody asked. */
  vaultsAtCapacity: { status: 400, cbr: "BackupService.6142" },
  vaultTakesNoResources: { status: 400, cbr: "BackupService.6108" },
  /** Orders and charging: there is nothing to pay for. */
  noBilling: { status: 400, cbr: "BackupService.6109" },
  vaultNotChangeable: { status: 400, cbr: "BackupService.6110" },
  vaultNotDeletable: { status: 400, cbr: "BackupService.6111" },
  vaultStatusForbids: { status: 400, cbr: "BackupService.6112" },
  vaultStatusForbidsBackup: { status: 400, cbr: "BackupService.6113" },
  protectTypeUnsupported: { status: 400, cbr: "BackupService.6116" },
  vaultFull: { status: 400, cbr: "BackupService.6114" },
  policyTypeUnknown: { status: 400, cbr: "BackupService.6117" },
  destinationVaultUnknown: { status: 400, cbr: "BackupService.6118" },
  vaultKindCannotBackUp: { status: 400, cbr: "BackupService.6124" },
  vaultBusy: { status: 400, cbr: "BackupService.6125" },
  vaultNotApplicationConsistent: { status: 400, cbr: "BackupService.6126" },
  policyNotApplicable: { status: 400, cbr: "BackupService.6127" },
  hybridVaultTakesNoPolicy: { status: 400, cbr: "BackupService.6136" },
  resourceNotInVault: { status: 400, cbr: "BackupService.6135" },
  resourcesBeingRemoved: { status: 400, cbr: "BackupService.6134" },
  diskInTwoVaults: { status: 400, cbr: "BackupService.6137" },
  vaultUnavailableForRestore: { status: 400, cbr: "BackupService.6202" },
  resourceStatusForbidsBackup: { status: 400, cbr: "BackupService.6215", vbs: "VolumeBackup.0012" },
  checkpointNotFound: { status: 404, cbr: "BackupService.6217" },
  providerMismatch: { status: 400, cbr: "BackupService.6300" },
  providerUnknown: { status: 400, cbr: "BackupService.6301" },
  resourceNotFound: { status: 404, cbr: "BackupService.6302" },
  taskNotFound: { status: 404, cbr: "BackupService.6500", vbs: "common.0011" },
  vaultCannotSync: { status: 400, cbr: "BackupService.7300" },
  syncRunning: { status: 400, cbr: "BackupService.7302" },
  metadataNotReadable: { status: 400, cbr: "BackupService.6206" },
  projectNotFound: { status: 404, cbr: "BackupService.9900" },
  agentsNotSupported: { status: 400, cbr: "BackupService.7403" },
  agentNotFound: { status: 404, cbr: "BackupService.7410" },
  migrationNotFound: { status: 404, cbr: "BackupService.4001" },
  nothingToMigrate: { status: 400, cbr: "BackupService.4002" },
  tagQuotaReached: { status: 400, cbr: "BackupService.6600" },
  tagNotFound: { status: 404, cbr: "BackupService.6601" },
  taskNotCancellable: { status: 400, cbr: "BackupService.9900" },
  /** A disk backup inside a server backup goes with that one. */
  backupNotShareable: { status: 400, cbr: "BackupService.6700" },
  tooManyMembers: { status: 400, cbr: "BackupService.6701" },
  shareStatusForbids: { status: 400, cbr: "BackupService.6702" },
  alreadyShared: { status: 400, cbr: "BackupService.6703" },
  memberProjectInvalid: { status: 400, cbr: "BackupService.6704" },
  memberNotFound: { status: 404, cbr: "BackupService.6705" },
  memberInvalid: { status: 400, cbr: "BackupService.6706" },
  sharingNotPermitted: { status: 400, cbr: "BackupService.6707" },
  memberChangeFailed: { status: 400, cbr: "BackupService.6708" },
  shareEncrypted: { status: 400, cbr: "BackupService.6709" },
  shareVaultForbids: { status: 400, cbr: "BackupService.6712" },
  receivingVaultMismatch: { status: 400, cbr: "BackupService.6713" },
  receivedNotShareable: { status: 400, cbr: "BackupService.6714" },
  volumeNotFound: { status: 404, cbr: "BackupService.7000", vbs: "VolumeBackup.0021" },
  volumeAlreadyInVault: { status: 400, cbr: "BackupService.7006" },
  volumeStatusForbids: { status: 400, cbr: "BackupService.7003", vbs: "VolumeBackup.0012" },
  serverNotFound: { status: 404, cbr: "BackupService.7100" },
  serverStatusForbids: { status: 400, cbr: "BackupService.7101" },
  serverHasNoDisk: { status: 400, cbr: "BackupService.7108" },
  serverAlreadyInVault: { status: 400, cbr: "BackupService.7116" },
  snapshotNotFound: { status: 404, cbr: "BackupService.7202" },
  snapshotStatusWrong: { status: 400, cbr: "BackupService.7203" },
  snapshotOfOtherVolume: { status: 400, cbr: "BackupService.7204" },
  noIncrementalBase: { status: 400, cbr: "BackupService.9900" },
  hasDependents: { status: 400, cbr: "BackupService.6216" },
  taskTimedOut: { status: 500, cbr: "BackupService.9910" },
  taskCancelled: { status: 400, cbr: "BackupService.9900" },
  vaultDeletionFailed: { status: 400, cbr: "BackupService.6121" },
  resourceRemovalFailed: { status: 400, cbr: "BackupService.6115" },
  backupNotReplicable: { status: 400, cbr: "BackupService.1001" },
  /** The published list answers this, and what follows, with 500, though nothing is wrong with the service. */
  regionNotReachable: { status: 400, cbr: "BackupService.1005" },
  /** Only ever the reason of a copying that failed, like the next. */
  replicationFailed: { status: 400, cbr: "BackupService.1006" },
  sourceRegionUnreachable: { status: 400, cbr: "BackupService.1007" },
  destinationUnreachable: { status: 400, cbr: "BackupService.1008" },
  replicaExists: { status: 400, cbr: "BackupService.1009" },
  projectTakesNoReplicas: { status: 400, cbr: "BackupService.1011" },
  vaultTakesNoReplicas: { status: 400, cbr: "BackupService.6119" },
  destinationVaultMissing: { status: 400, cbr: "BackupService.6120" },
  vaultTypeNotReplicable: { status: 400, cbr: "BackupService.6122" },
  destinationVaultFull: { status: 400, cbr: "BackupService.6129" },
  vaultBeingReplicated: { status: 400, cbr: "BackupService.6130" },
  nothingToReplicate: { status: 400, cbr: "BackupService.0001" },
  webhookNotFound: { status: 404, cbr: "BackupService.9900" },
  deliveryNotFound: { status: 404, cbr: "BackupService.9900" },
  conflict: { status: 409, cbr: "BackupService.0002" },
  sourceUnavailable: { status: 400, cbr: "BackupService.7004" },
  sourceNotPermitted: { status: 403, cbr: "BackupService.7004" },
  storageFull: { status: 507, cbr: "BackupService.9910" },
  internal: { status: 500, cbr: "BackupService.9910", vbs: "VolumeBackup.0900" },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** An expected failure, told to the caller. Anything else that is thrown is a defect and answers as `internal`. */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly code: ErrorCode;
  /** The field of the request that is at fault, where there is one. */
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, options?: { field?: string; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options?.field;
  }
}
