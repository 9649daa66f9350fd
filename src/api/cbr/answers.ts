import { Type, type TSchema } from "@sinclair/typebox";
import { backup, checkpoint, common, listOf, member, organizationPolicy, policy, protectable, tag, task, vault } from "./answer-shapes.ts";

const { text, textOrNull, flag, number, id } = common;
const ids = Type.Array(id);
const versions = Type.Object({
  versions: Type.Array(Type.Object({ id: text, status: text, links: Type.Array(Type.Object({ href: text, rel: text })) })),
});
const projectLink = Type.Object({ self: text });
const features = {
  "features.backup_double_az": Type.Optional(flag),
  "features.bccrack_enable": Type.Optional(flag),
  "replication.destination_dgw_regions": Type.Optional(Type.Array(text)),
  "replication.destination_regions": Type.Optional(Type.Array(text)),
  "replication.enable": Type.Optional(flag),
  "replication.source_region": Type.Optional(text),
};

const copied = {
  source_region: text,
  project_id: text,
  provider_id: text,
  destination_region: text,
  destination_project_id: text,
  destination_vault_id: id,
};

/** What each operation of CBR answers on success. An operation that is not here answers no body, or never succeeds. */
export const cbrAnswers: Readonly<Record<string, TSchema>> = {
  ListVersions: versions,
  ShowVersion: versions,

  CreateVault: Type.Object({ vault }),
  ListVault: listOf("vaults", vault),
  ShowVault: Type.Object({ vault }),
  UpdateVault: Type.Object({ vault }),
  ListExternalVault: listOf("vaults", vault),
  ShowSummary: Type.Object({ size: number, used_size: number }),
  BatchUpdateVault: Type.Object({ updated_vaults_id: ids }),
  AddVaultResource: Type.Object({ add_resource_ids: ids }),
  RemoveVaultResource: Type.Object({ remove_resource_ids: ids }),
  MigrateVaultResource: Type.Object({ migrated_resources: ids }),
  SetVaultResource: Type.Object({ set_resource_ids: ids }),

  ListBackups: listOf("backups", backup),
  ShowBackup: Type.Object({ backup }),
  UpdateBackup: Type.Object({ backup }),
  RestoreBackup: Type.Object({ job_id: id }),
  CopyBackup: Type.Object({ replication: Type.Object({ ...copied, backup_id: id, replication_record_id: id }) }),
  CopyCheckpoint: Type.Object({
    replication: Type.Object({ ...copied, vault_id: id, backups: Type.Array(Type.Object({ backup_id: id, replication_record_id: id })) }),
  }),
  ShowMetadata: Type.Object({
    backup_id: id,
    backups: text,
    server: text,
    volumes: Type.Array(text),
    flavor: text,
    interface: text,
    ports: Type.Array(text),
    floatingips: Type.Array(text),
  }),

  AddMember: Type.Object({ members: Type.Array(member), count: number }),
  ShowMembersDetail: listOf("members", member),
  ShowMemberDetail: Type.Object({ member }),
  UpdateMemberStatus: Type.Object({ member }),

  CreateCheckpoint: Type.Object({ checkpoint }),
  ShowCheckpoint: Type.Object({ checkpoint }),

  CreatePolicy: Type.Object({ policy }),
  ListPolicies: Type.Object({ policies: Type.Array(policy), count: number }),
  ShowPolicy: Type.Object({ policy }),
  UpdatePolicy: Type.Object({ policy }),
  CreateOrganizationPolicy: Type.Object({ policy: organizationPolicy }),
  ListOrganizationPolicies: listOf("policies", organizationPolicy),
  ShowOrganizationPolicy: Type.Object({ policy: organizationPolicy }),
  UpdateOrganizationPolicy: Type.Object({ policy: organizationPolicy }),
  ListOrganizationPolicyDetail: listOf("policies", Type.Object({ domain_id: text, policy_id: id, project_id: text, status: text })),
  AssociateVaultPolicy: Type.Object({ associate_policy: Type.Object({ vault_id: id, policy_id: id, destination_vault_id: Type.Optional(id) }) }),
  DisassociateVaultPolicy: Type.Object({ dissociate_policy: Type.Object({ vault_id: id, policy_id: id }) }),

  ListOpLogs: listOf("operation_logs", task),
  ShowOpLog: Type.Object({ operation_log: task }),
  CancelOpLog: Type.Object({ operation_log: task }),

  ImportBackup: Type.Object({ sync: Type.Array(Type.Object({ backup_id: id, operation_log_id: id })) }),
  ImportCheckpoint: Type.Object({ sync: Type.Object({ operation_log_id: id, vault_id: id }) }),

  ShowVaultTag: Type.Object({ tags: Type.Array(tag) }),
  ShowVaultProjectTag: Type.Object({ tags: Type.Array(Type.Object({ key: text, values: Type.Array(text) })) }),
  ShowVaultResourceInstances: Type.Object({
    resources: Type.Optional(
      Type.Array(
        Type.Object({
          resource_id: id,
          resource_name: text,
          resource_detail: Type.Object({ vault }),
          tags: Type.Array(tag),
          sys_tags: Type.Array(tag),
        }),
      ),
    ),
    total_count: number,
  }),

  ListProtectable: Type.Object({ instances: Type.Array(protectable), count: number }),
  ShowProtectable: Type.Object({ instance: protectable }),
  ShowReplicationCapabilities: Type.Object({ regions: Type.Array(Type.Object({ name: text, replication_destinations: Type.Array(text) })) }),
  ShowStorageUsage: Type.Object({
    storage_usage: Type.Array(
      Type.Object({
        resource_id: text,
        resource_name: text,
        resource_type: text,
        backup_count: number,
        backup_size: number,
        backup_size_multiaz: number,
      }),
    ),
    resource_count: number,
  }),
  ListFeatures: Type.Object(features),
  ShowFeature: Type.Object(features, { minProperties: 1, maxProperties: 1 }),

  CheckAgent: Type.Object({
    agent_status: Type.Array(
      Type.Object({ resource_id: text, installed: flag, version: textOrNull, is_old: Type.Null(), code: Type.Null(), message: textOrNull }),
    ),
  }),
  ListAgent: listOf("agents", Type.Object({ agent_id: text })),

  ListProjects: Type.Object({
    projects: Type.Array(
      Type.Object({
        id: text,
        name: text,
        domain_id: text,
        description: text,
        enabled: flag,
        is_domain: flag,
        parent_id: text,
        links: projectLink,
      }),
    ),
    links: projectLink,
  }),
  ListDomainProjects: Type.Object({ projects: Type.Array(Type.Object({ project_id: text, project_name: text })) }),
  ShowDomain: Type.Object({ domain_id: text, domain_name: text, project_id: text, project_name: text }),
};

/** Operations whose every call ends in an error, because what they are about does not exist here. */
export const neverSucceeds: ReadonlySet<string> = new Set([
  "CreatePostPaidVault",
  "ChangeVaultChargeMode",
  "ChangeOrder",
  "UpdateOrder",
  "RegisterAgent",
  "ShowAgent",
  "UpdateAgent",
  "UnregisterAgent",
  "AddAgentPath",
  "RemoveAgentPath",
  "MigrateDomain",
  "ShowMigrateStatus",
]);

/** What CBR answers when a request is refused; the gateway's own refusals add the request's id. */
export const cbrError = Type.Object({
  error_code: Type.String({ pattern: "^(BackupService\\.\\d{4}|APIGW\\.\\d{4})$" }),
  error_msg: Type.String({ minLength: 1 }),
  request_id: Type.Optional(text),
});
