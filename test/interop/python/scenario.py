"""The life of a backup through the public SDK: vault, policy, bind, restore point, list, show, logs, restore, replicate, share, tags, delete.

Reads the same variables as show_backup.py, VOLUME_ID, and OTHER_PROJECT_ID, another project of the same user. Prints one JSON object of what it saw.
"""

import json
import os
import time

from huaweicloudsdkcbr import v1 as cbr
from huaweicloudsdkcbr.v1.region.cbr_region import CbrRegion
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions

volume_id = os.environ["VOLUME_ID"]
other_project_id = os.environ["OTHER_PROJECT_ID"]
seen = {}


def connect(project_id=None):
    credentials = BasicCredentials(os.environ["CLOUD_SDK_AK"], os.environ["CLOUD_SDK_SK"], project_id)
    region = CbrRegion.value_of(os.environ["REGION"])
    return cbr.CbrClient.new_builder().with_credentials(credentials).with_region(region).build()


client = connect()
other = connect(other_project_id)


def until(what, check, seconds=120):
    for _ in range(seconds * 10):
        answer = check()
        if answer is not None:
            return answer
        time.sleep(0.1)
    raise SystemExit(f"timed out waiting for {what}")


def make_vault(of, name, protect_type="backup"):
    billing = cbr.BillingCreate(
        cloud_type="public", consistent_level="crash_consistent", object_type="disk", protect_type=protect_type, size=100
    )
    body = cbr.VaultCreateReq(vault=cbr.VaultCreate(name=name, billing=billing, resources=[]))
    return of.create_vault(cbr.CreateVaultRequest(body=body)).vault


def show(backup_id):
    return client.show_backup(cbr.ShowBackupRequest(backup_id=backup_id)).backup


def gone(ask):
    try:
        ask()
        return None
    except exceptions.ClientRequestException as error:
        return {"status_code": error.status_code, "error_code": error.error_code, "request_id": error.request_id}


# A vault with a policy and a disk.
vault = make_vault(client, "sdk-vault")
seen["vault"] = vault.to_dict()
pattern = "FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=01;BYMINUTE=00"
policy = client.create_policy(
    cbr.CreatePolicyRequest(
        body=cbr.PolicyCreateReq(
            policy=cbr.PolicyCreate(
                name="sdk-policy",
                enabled=True,
                operation_type="backup",
                operation_definition=cbr.PolicyoODCreate(max_backups=10),
                trigger=cbr.PolicyTriggerReq(properties=cbr.PolicyTriggerPropertiesReq(pattern=[pattern])),
            )
        )
    )
).policy
associated = cbr.VaultAssociate(policy_id=policy.id)
client.associate_vault_policy(cbr.AssociateVaultPolicyRequest(vault_id=vault.id, body=associated))
policies = client.list_policies(cbr.ListPoliciesRequest(vault_id=vault.id)).policies
seen["policies"] = [found.id == policy.id and found.trigger.properties.pattern == [pattern] for found in policies]
seen["added"] = client.add_vault_resource(
    cbr.AddVaultResourceRequest(
        vault_id=vault.id,
        body=cbr.VaultAddResourceReq(resources=[cbr.ResourceCreate(id=volume_id, type="OS::Cinder::Volume")]),
    )
).add_resource_ids

# A restore point, its backup and its log.
parameters = cbr.CheckpointParam(name="sdk-run", description="from the SDK")
checkpoint = client.create_checkpoint(
    cbr.CreateCheckpointRequest(
        body=cbr.VaultBackupReq(checkpoint=cbr.VaultBackup(vault_id=vault.id, parameters=parameters))
    )
).checkpoint
seen["checkpoint_at_first"] = checkpoint.status


def checkpoint_done():
    answer = client.show_checkpoint(cbr.ShowCheckpointRequest(checkpoint_id=checkpoint.id)).checkpoint
    return answer if answer.status in ("available", "error") else None


seen["checkpoint"] = until("the restore point", checkpoint_done).to_dict()
backups = client.list_backups(cbr.ListBackupsRequest(checkpoint_id=checkpoint.id))
seen["listed"] = [backup.id for backup in backups.backups]
backup_id = backups.backups[0].id
seen["backup"] = show(backup_id).to_dict()
seen["logs"] = [log.to_dict() for log in client.list_op_logs(cbr.ListOpLogsRequest(vault_id=vault.id)).operation_logs]
log_id = seen["logs"][0]["id"]
seen["log"] = client.show_op_log(cbr.ShowOpLogRequest(operation_log_id=log_id)).operation_log.to_dict()

client.restore_backup(
    cbr.RestoreBackupRequest(backup_id=backup_id, body=cbr.BackupRestoreReq(restore=cbr.BackupRestore(volume_id=volume_id)))
)


def restored():
    status = show(backup_id).status
    return status if status in ("available", "error") else None


seen["after_restore"] = until("the restore", restored)

# A copy in another vault of the region.
regions = client.show_replication_capabilities(cbr.ShowReplicationCapabilitiesRequest()).regions
replica_vault = make_vault(client, "sdk-replicas", "replication")
replicate = cbr.BackupReplicateReqBody(
    destination_project_id=vault.project_id, destination_region=regions[0].name, destination_vault_id=replica_vault.id
)
client.copy_backup(cbr.CopyBackupRequest(backup_id=backup_id, body=cbr.BackupReplicateReq(replicate=replicate)))


def replicated():
    record = show(backup_id).replication_records[0]
    return record if record.status in ("success", "fail", "skip") else None


record = until("the replication", replicated)
seen["replicated"] = record.status
seen["replica_is"] = show(record.destination_backup_id).image_type

# Shared with another project, which accepts it.
received_vault = make_vault(other, "sdk-received")
client.add_member(cbr.AddMemberRequest(backup_id=backup_id, body=cbr.AddMembersReq(members=[other_project_id])))
accepted = cbr.UpdateMember(status="accepted", vault_id=received_vault.id)
seen["member"] = other.update_member_status(
    cbr.UpdateMemberStatusRequest(backup_id=backup_id, member_id=other_project_id, body=accepted)
).member.status
seen["received"] = [found.id for found in other.list_backups(cbr.ListBackupsRequest(own_type="shared")).backups]

# Tags.
tag = cbr.VaultTagsCreateReq(tag=cbr.Tag(key="stage", value="test"))
client.create_vault_tags(cbr.CreateVaultTagsRequest(vault_id=vault.id, body=tag))
batch = cbr.BulkCreateAndDeleteVaultTagsReq(action="create", tags=[cbr.Tag(key="team", value="storage")])
client.batch_create_and_delete_vault_tags(cbr.BatchCreateAndDeleteVaultTagsRequest(vault_id=vault.id, body=batch))
client.delete_vault_tag(cbr.DeleteVaultTagRequest(vault_id=vault.id, key="stage"))
seen["tags"] = [[found.key, found.value] for found in client.show_vault_tag(cbr.ShowVaultTagRequest(vault_id=vault.id)).tags]
instances = cbr.VaultResourceInstancesReq(action="filter", tags=[cbr.TagsReq(key="team", values=["storage"])])
found = client.show_vault_resource_instances(cbr.ShowVaultResourceInstancesRequest(body=instances))
seen["tagged"] = [resource.resource_id == vault.id for resource in found.resources]

# Everything goes again.
client.delete_member(cbr.DeleteMemberRequest(backup_id=backup_id, member_id=other_project_id))
client.disassociate_vault_policy(
    cbr.DisassociateVaultPolicyRequest(vault_id=vault.id, body=cbr.VaultDissociate(policy_id=policy.id))
)
client.delete_policy(cbr.DeletePolicyRequest(policy_id=policy.id))
client.delete_backup(cbr.DeleteBackupRequest(backup_id=backup_id))
seen["gone"] = until("the deletion", lambda: gone(lambda: show(backup_id)))
for owner, doomed in ((client, vault), (client, replica_vault), (other, received_vault)):
    owner.delete_vault(cbr.DeleteVaultRequest(vault_id=doomed.id))
    answer = until("a vault's deletion", lambda: gone(lambda: owner.show_vault(cbr.ShowVaultRequest(vault_id=doomed.id))))
    seen.setdefault("vaults_gone", []).append(answer["error_code"])
made = {vault.id, replica_vault.id}
seen["vaults_left"] = [left.id for left in client.list_vault(cbr.ListVaultRequest()).vaults if left.id in made]
print(json.dumps(seen, default=str))
