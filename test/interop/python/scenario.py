"""The life of a backup through the public SDK: vault, bind, restore point, list, show, logs, restore, delete.

Reads the same variables as show_backup.py, and VOLUME_ID. Prints one JSON object of what it saw.
"""

import json
import os
import time

from huaweicloudsdkcbr.v1 import (
    AddVaultResourceRequest,
    BackupRestore,
    BackupRestoreReq,
    BillingCreate,
    CbrClient,
    CheckpointParam,
    CreateCheckpointRequest,
    CreateVaultRequest,
    DeleteBackupRequest,
    DeleteVaultRequest,
    ListBackupsRequest,
    ListOpLogsRequest,
    ListVaultRequest,
    ResourceCreate,
    RestoreBackupRequest,
    ShowBackupRequest,
    ShowCheckpointRequest,
    ShowOpLogRequest,
    ShowVaultRequest,
    VaultAddResourceReq,
    VaultBackup,
    VaultBackupReq,
    VaultCreate,
    VaultCreateReq,
)
from huaweicloudsdkcbr.v1.region.cbr_region import CbrRegion
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions

volume_id = os.environ["VOLUME_ID"]
client = (
    CbrClient.new_builder()
    .with_credentials(BasicCredentials(os.environ["CLOUD_SDK_AK"], os.environ["CLOUD_SDK_SK"]))
    .with_region(CbrRegion.value_of(os.environ["REGION"]))
    .build()
)
seen = {}


def until(what, check, seconds=60):
    for _ in range(seconds * 10):
        answer = check()
        if answer is not None:
            return answer
        time.sleep(0.1)
    raise SystemExit(f"timed out waiting for {what}")


billing = BillingCreate(
    cloud_type="public", consistent_level="crash_consistent", object_type="disk", protect_type="backup", size=100
)
vault = client.create_vault(
    CreateVaultRequest(body=VaultCreateReq(vault=VaultCreate(name="sdk-vault", billing=billing, resources=[])))
).vault
seen["vault"] = vault.to_dict()
seen["added"] = client.add_vault_resource(
    AddVaultResourceRequest(
        vault_id=vault.id,
        body=VaultAddResourceReq(resources=[ResourceCreate(id=volume_id, type="OS::Cinder::Volume")]),
    )
).add_resource_ids

checkpoint = client.create_checkpoint(
    CreateCheckpointRequest(
        body=VaultBackupReq(
            checkpoint=VaultBackup(
                vault_id=vault.id, parameters=CheckpointParam(name="sdk-run", description="from the SDK")
            )
        )
    )
).checkpoint
seen["checkpoint_at_first"] = checkpoint.status


def checkpoint_done():
    answer = client.show_checkpoint(ShowCheckpointRequest(checkpoint_id=checkpoint.id)).checkpoint
    return answer if answer.status in ("available", "error") else None


seen["checkpoint"] = until("the restore point", checkpoint_done).to_dict()
backups = client.list_backups(ListBackupsRequest(checkpoint_id=checkpoint.id))
seen["listed"] = [backup.id for backup in backups.backups]
backup_id = backups.backups[0].id
seen["backup"] = client.show_backup(ShowBackupRequest(backup_id=backup_id)).backup.to_dict()
seen["logs"] = [log.to_dict() for log in client.list_op_logs(ListOpLogsRequest(vault_id=vault.id)).operation_logs]
log_id = seen["logs"][0]["id"]
seen["log"] = client.show_op_log(ShowOpLogRequest(operation_log_id=log_id)).operation_log.to_dict()

client.restore_backup(
    RestoreBackupRequest(
        backup_id=backup_id, body=BackupRestoreReq(restore=BackupRestore(volume_id=volume_id))
    )
)


def restored():
    status = client.show_backup(ShowBackupRequest(backup_id=backup_id)).backup.status
    return status if status in ("available", "error") else None


seen["after_restore"] = until("the restore", restored)
client.delete_backup(DeleteBackupRequest(backup_id=backup_id))


def gone():
    try:
        client.show_backup(ShowBackupRequest(backup_id=backup_id))
        return None
    except exceptions.ClientRequestException as error:
        return {"status_code": error.status_code, "error_code": error.error_code, "request_id": error.request_id}


seen["gone"] = until("the deletion", gone)
client.delete_vault(DeleteVaultRequest(vault_id=vault.id))


def vault_gone():
    try:
        client.show_vault(ShowVaultRequest(vault_id=vault.id))
        return None
    except exceptions.ClientRequestException as error:
        return error.error_code


seen["vault_gone"] = until("the vault's deletion", vault_gone)
seen["vaults_left"] = [left.id for left in client.list_vault(ListVaultRequest()).vaults]
print(json.dumps(seen, default=str))
