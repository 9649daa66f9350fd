import { Type } from "@sinclair/typebox";
import { nullable } from "../cbr/schemas.ts";

/*
 * What one region's service tells another: the model's own nouns as JSON. What is read of them is checked; other keys are passed over.
 */

const id = Type.String({ minLength: 1, maxLength: 64 });
const text = Type.String({ maxLength: 1024 });
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const percent = Type.Integer({ minimum: 0, maximum: 100 });
const flag = nullable(Type.Boolean());
const texts = Type.Record(Type.String(), Type.String({ maxLength: 1024 }));
const objectType = Type.Union([Type.Literal("server"), Type.Literal("disk")]);
const resourceType = Type.Union([Type.Literal("OS::Nova::Server"), Type.Literal("OS::Cinder::Volume")]);
const status = Type.Union(["waiting_replicate", "replicating", "success", "fail", "skip"].map((word) => Type.Literal(word)));

const record = Type.Object({
  id,
  status,
  sourceRegion: text,
  sourceProjectId: id,
  sourceVaultId: id,
  sourceBackupId: id,
  sourceBackupName: nullable(text),
  sourceCheckpointId: id,
  destinationRegion: text,
  destinationProjectId: id,
  destinationVaultId: id,
  destinationBackupId: nullable(id),
  destinationCheckpointId: nullable(id),
  progress: percent,
  failCode: text,
  failReason: text,
  autoTrigger: Type.Boolean(),
  createdAt: count,
  updatedAt: count,
});

/** Of a backup what its copy repeats. */
const backup = Type.Object({
  id,
  projectId: id,
  name: nullable(text),
  description: nullable(text),
  parentId: nullable(id),
  resourceId: id,
  resourceName: text,
  resourceType,
  resourceSizeGib: count,
  resourceAz: nullable(text),
  incrementalRequested: Type.Boolean(),
  incremental: Type.Boolean(),
  bootable: flag,
  systemDisk: flag,
  containSystemDisk: flag,
  encryption: nullable(Type.Object({ cmkId: id, volumeKey: text })),
  encrypted: flag,
  architecture: nullable(text),
  volumeType: nullable(text),
  volumeMetadata: texts,
  metadata: texts,
  protectedAt: nullable(count),
});

const resource = Type.Object({ id, type: resourceType, name: text, sizeGib: count });

export const examinationBody = Type.Object({
  sourceRegion: text,
  sourceProjectId: id,
  destinationProjectId: id,
  destinationVaultId: id,
  objectType,
  backupIds: Type.Array(id, { maxItems: 1000 }),
});

export const orderBody = Type.Object({
  record,
  objectType,
  name: nullable(text),
  description: nullable(text),
  retentionDays: nullable(Type.Integer({ minimum: 1, maximum: 99_999 })),
  backup,
  children: Type.Array(backup, { maxItems: 256 }),
  resources: Type.Record(Type.String(), resource),
  server: nullable(resource),
  diskBytes: Type.Record(Type.String(), count),
});

export const chunksBody = Type.Object({ chunks: Type.Array(count, { minItems: 1, maxItems: 64 }) });

const optional = Type.Optional(text);
export const vaultsBody = Type.Object({
  sourceProjectId: id,
  destinationProjectId: id,
  filter: Type.Object(
    {
      ids: Type.Optional(Type.Array(id, { maxItems: 1000 })),
      cloudType: optional,
      protectType: optional,
      objectType: Type.Optional(Type.Union([objectType, Type.Literal("turbo")])),
    },
    { additionalProperties: false },
  ),
  page: Type.Object(
    { limit: Type.Integer({ minimum: 1, maximum: 1000 }), offset: count, marker: Type.Optional(id) },
    { additionalProperties: false },
  ),
});
