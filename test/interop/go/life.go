package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	cbr "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/cbr/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/cbr/v1/model"
)

const weekly = "FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=01;BYMINUTE=00"

// until asks ten times a second until there is an answer.
func until[T any](what string, check func() *T) *T {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if answer := check(); answer != nil {
			return answer
		}
	}
	exitOn(fmt.Errorf("timed out waiting for %s", what))
	return nil
}

// gone tells what a service says about a thing that is no longer there; nil while it is.
func gone(ask func() error) *map[string]any {
	var refused *sdkerr.ServiceResponseError
	err := ask()
	if err == nil {
		return nil
	}
	if !errors.As(err, &refused) {
		exitOn(err)
	}
	return &map[string]any{"status_code": refused.StatusCode, "error_code": refused.ErrorCode, "request_id": refused.RequestId}
}

func must[T any](answer T, err error) T {
	exitOn(err)
	return answer
}

func makeVault(client *cbr.CbrClient, name string, protectType model.BillingCreateProtectType) *model.VaultCreateResource {
	cloud := model.GetBillingCreateCloudTypeEnum().PUBLIC
	billing := &model.BillingCreate{
		CloudType:       &cloud,
		ConsistentLevel: model.GetBillingCreateConsistentLevelEnum().CRASH_CONSISTENT,
		ObjectType:      model.GetBillingCreateObjectTypeEnum().DISK,
		ProtectType:     protectType,
		Size:            100,
	}
	body := &model.VaultCreateReq{Vault: &model.VaultCreate{Name: name, Billing: billing, Resources: []model.ResourceCreate{}}}
	return must(client.CreateVault(&model.CreateVaultRequest{Body: body})).Vault
}

// life goes through the life of a backup, from its vault to its deletion, and prints what it saw as JSON. It reads VOLUME_ID and OTHER_PROJECT_ID
// beside what main reads.
func life() {
	volumeId, otherProjectId := os.Getenv("VOLUME_ID"), os.Getenv("OTHER_PROJECT_ID")
	client, other := connect(""), connect(otherProjectId)
	seen := map[string]any{}
	kinds := model.GetBillingCreateProtectTypeEnum()

	vault := makeVault(client, "go-vault", kinds.BACKUP)
	enabled, most := true, int32(10)
	policy := must(client.CreatePolicy(&model.CreatePolicyRequest{Body: &model.PolicyCreateReq{Policy: &model.PolicyCreate{
		Name:                "go-policy",
		Enabled:             &enabled,
		OperationType:       model.GetPolicyCreateOperationTypeEnum().BACKUP,
		OperationDefinition: &model.PolicyoOdCreate{MaxBackups: &most},
		Trigger:             &model.PolicyTriggerReq{Properties: &model.PolicyTriggerPropertiesReq{Pattern: []string{weekly}}},
	}}})).Policy
	must(client.AssociateVaultPolicy(&model.AssociateVaultPolicyRequest{VaultId: vault.Id, Body: &model.VaultAssociate{PolicyId: &policy.Id}}))
	policies := []bool{}
	for _, found := range *must(client.ListPolicies(&model.ListPoliciesRequest{VaultId: &vault.Id})).Policies {
		policies = append(policies, found.Id == policy.Id && found.Trigger.Properties.Pattern[0] == weekly)
	}
	seen["policies"] = policies
	seen["added"] = *must(client.AddVaultResource(&model.AddVaultResourceRequest{VaultId: vault.Id, Body: &model.VaultAddResourceReq{
		Resources: []model.ResourceCreate{{Id: volumeId, Type: "OS::Cinder::Volume"}},
	}})).AddResourceIds

	name := "go-run"
	checkpoint := must(client.CreateCheckpoint(&model.CreateCheckpointRequest{Body: &model.VaultBackupReq{
		Checkpoint: &model.VaultBackup{VaultId: vault.Id, Parameters: &model.CheckpointParam{Name: &name}},
	}})).Checkpoint
	seen["checkpoint_at_first"] = checkpoint.Status.Value()
	seen["checkpoint"] = until("the restore point", func() *map[string]any {
		shown := must(client.ShowCheckpoint(&model.ShowCheckpointRequest{CheckpointId: checkpoint.Id})).Checkpoint
		if status := shown.Status.Value(); status == "available" || status == "error" {
			return &map[string]any{"status": status}
		}
		return nil
	})
	listed := []string{}
	for _, found := range *must(client.ListBackups(&model.ListBackupsRequest{CheckpointId: &checkpoint.Id})).Backups {
		listed = append(listed, found.Id)
	}
	seen["listed"] = listed
	backupId := listed[0]
	show := func(id string) *model.BackupResp {
		return must(client.ShowBackup(&model.ShowBackupRequest{BackupId: id})).Backup
	}
	seen["backup"] = show(backupId)
	logs := *must(client.ListOpLogs(&model.ListOpLogsRequest{VaultId: &vault.Id})).OperationLogs
	log := must(client.ShowOpLog(&model.ShowOpLogRequest{OperationLogId: logs[0].Id})).OperationLog
	seen["log"] = map[string]any{"status": log.Status.Value()}

	must(client.RestoreBackup(&model.RestoreBackupRequest{BackupId: backupId, Body: &model.BackupRestoreReq{
		Restore: &model.BackupRestore{VolumeId: &volumeId},
	}}))
	seen["after_restore"] = until("the restore", func() *string {
		if status := show(backupId).Status.Value(); status == "available" || status == "error" {
			return &status
		}
		return nil
	})

	regions := *must(client.ShowReplicationCapabilities(&model.ShowReplicationCapabilitiesRequest{})).Regions
	replicas := makeVault(client, "go-replicas", kinds.REPLICATION)
	must(client.CopyBackup(&model.CopyBackupRequest{BackupId: backupId, Body: &model.BackupReplicateReq{Replicate: &model.BackupReplicateReqBody{
		DestinationProjectId: vault.ProjectId,
		DestinationRegion:    regions[0].Name,
		DestinationVaultId:   replicas.Id,
	}}}))
	record := until("the replication", func() *model.ReplicationRecordGet {
		records := *show(backupId).ReplicationRecords
		if status := records[0].Status.Value(); status == "success" || status == "fail" || status == "skip" {
			return &records[0]
		}
		return nil
	})
	seen["replicated"] = record.Status.Value()
	seen["replica_is"] = show(*record.DestinationBackupId).ImageType

	received := makeVault(other, "go-received", kinds.BACKUP)
	must(client.AddMember(&model.AddMemberRequest{BackupId: backupId, Body: &model.AddMembersReq{Members: &[]string{otherProjectId}}}))
	member := must(other.UpdateMemberStatus(&model.UpdateMemberStatusRequest{BackupId: backupId, MemberId: otherProjectId, Body: &model.UpdateMember{
		Status:  model.GetUpdateMemberStatusEnum().ACCEPTED,
		VaultId: &received.Id,
	}})).Member
	seen["member"] = member.Status.Value()
	shared := model.GetListBackupsRequestOwnTypeEnum().SHARED
	mine := []string{}
	for _, found := range *must(other.ListBackups(&model.ListBackupsRequest{OwnType: &shared})).Backups {
		mine = append(mine, found.Id)
	}
	seen["received"] = mine

	must(client.CreateVaultTags(&model.CreateVaultTagsRequest{VaultId: vault.Id, Body: &model.VaultTagsCreateReq{Tag: &model.Tag{Key: "stage", Value: "test"}}}))
	must(client.BatchCreateAndDeleteVaultTags(&model.BatchCreateAndDeleteVaultTagsRequest{VaultId: vault.Id, Body: &model.BulkCreateAndDeleteVaultTagsReq{
		Action: model.GetBulkCreateAndDeleteVaultTagsReqActionEnum().CREATE,
		Tags:   &[]model.Tag{{Key: "team", Value: "storage"}},
	}}))
	must(client.DeleteVaultTag(&model.DeleteVaultTagRequest{VaultId: vault.Id, Key: "stage"}))
	tags := [][]string{}
	for _, tag := range *must(client.ShowVaultTag(&model.ShowVaultTagRequest{VaultId: vault.Id})).Tags {
		tags = append(tags, []string{tag.Key, tag.Value})
	}
	seen["tags"] = tags
	tagged := []bool{}
	for _, found := range *must(client.ShowVaultResourceInstances(&model.ShowVaultResourceInstancesRequest{Body: &model.VaultResourceInstancesReq{
		Action: "filter",
		Tags:   &[]model.TagsReq{{Key: "team", Values: []string{"storage"}}},
	}})).Resources {
		tagged = append(tagged, found.ResourceId == vault.Id)
	}
	seen["tagged"] = tagged

	must(client.DeleteMember(&model.DeleteMemberRequest{BackupId: backupId, MemberId: otherProjectId}))
	must(client.DisassociateVaultPolicy(&model.DisassociateVaultPolicyRequest{VaultId: vault.Id, Body: &model.VaultDissociate{PolicyId: policy.Id}}))
	must(client.DeletePolicy(&model.DeletePolicyRequest{PolicyId: policy.Id}))
	must(client.DeleteBackup(&model.DeleteBackupRequest{BackupId: backupId}))
	seen["gone"] = until("the deletion", func() *map[string]any {
		return gone(func() error {
			_, err := client.ShowBackup(&model.ShowBackupRequest{BackupId: backupId})
			return err
		})
	})
	codes := []any{}
	for _, doomed := range []struct {
		owner *cbr.CbrClient
		id    string
	}{{client, vault.Id}, {client, replicas.Id}, {other, received.Id}} {
		must(doomed.owner.DeleteVault(&model.DeleteVaultRequest{VaultId: doomed.id}))
		answer := until("a vault's deletion", func() *map[string]any {
			return gone(func() error {
				_, err := doomed.owner.ShowVault(&model.ShowVaultRequest{VaultId: doomed.id})
				return err
			})
		})
		codes = append(codes, (*answer)["error_code"])
	}
	seen["vaults_gone"] = codes
	left := []string{}
	for _, found := range *must(client.ListVault(&model.ListVaultRequest{})).Vaults {
		if found.Id == vault.Id || found.Id == replicas.Id {
			left = append(left, found.Id)
		}
	}
	seen["vaults_left"] = left
	fmt.Println(string(must(json.Marshal(seen))))
}
