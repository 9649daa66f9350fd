import com.fasterxml.jackson.databind.ObjectMapper;
import com.huaweicloud.sdk.cbr.v1.CbrClient;
import com.huaweicloud.sdk.cbr.v1.model.*;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.core.region.Region;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Goes through the life of a backup with the public Java SDK, from its vault to its deletion, and prints what it saw as JSON; reads CLOUD_SDK_AK,
 * CLOUD_SDK_SK, REGION, ENDPOINT, VOLUME_ID, OTHER_PROJECT_ID.
 */
public class Scenario {
    private static final String WEEKLY = "FREQ=WEEKLY;BYDAY=MO,TU;BYHOUR=01;BYMINUTE=00";
    private static final Set<String> OVER = Set.of("available", "error", "success", "fail", "skip");

    private static CbrClient connect(String projectId) {
        String endpoint = System.getenv("ENDPOINT");
        BasicCredentials credentials =
                new BasicCredentials()
                        .withIamEndpoint(endpoint)
                        .withAk(System.getenv("CLOUD_SDK_AK"))
                        .withSk(System.getenv("CLOUD_SDK_SK"));
        if (projectId != null) credentials.withProjectId(projectId);
        Region region = new Region(System.getenv("REGION"), endpoint);
        return CbrClient.newBuilder().withCredential(credentials).withRegion(region).build();
    }

    /** Asks ten times a second until there is an answer. */
    private static <T> T until(String what, Supplier<T> check) throws InterruptedException {
        for (int n = 0; n < 1200; n++) {
            T answer = check.get();
            if (answer != null) return answer;
            Thread.sleep(100);
        }
        throw new IllegalStateException("timed out waiting for " + what);
    }

    /** What the service says about a thing that is no longer there; null while it is. */
    private static Map<String, Object> gone(Runnable ask) {
        try {
            ask.run();
            return null;
        } catch (ServiceResponseException error) {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("status_code", error.getHttpStatusCode());
            told.put("error_code", error.getErrorCode());
            told.put("request_id", error.getRequestId());
            return told;
        }
    }

    private static VaultCreateResource makeVault(CbrClient client, String name, BillingCreate.ProtectTypeEnum protectType) {
        BillingCreate billing =
                new BillingCreate()
                        .withCloudType(BillingCreate.CloudTypeEnum.PUBLIC)
                        .withConsistentLevel(BillingCreate.ConsistentLevelEnum.CRASH_CONSISTENT)
                        .withObjectType(BillingCreate.ObjectTypeEnum.DISK)
                        .withProtectType(protectType)
                        .withSize(100);
        VaultCreate vault = new VaultCreate().withName(name).withBilling(billing).withResources(List.of());
        return client.createVault(new CreateVaultRequest().withBody(new VaultCreateReq().withVault(vault))).getVault();
    }

    private static String overOrNull(Object status) {
        String word = String.valueOf(status);
        return OVER.contains(word) ? word : null;
    }

    public static void main(String[] arguments) throws Exception {
        String volumeId = System.getenv("VOLUME_ID");
        String otherProjectId = System.getenv("OTHER_PROJECT_ID");
        CbrClient client = connect(null);
        CbrClient other = connect(otherProjectId);
        Map<String, Object> seen = new LinkedHashMap<>();

        VaultCreateResource vault = makeVault(client, "java-vault", BillingCreate.ProtectTypeEnum.BACKUP);
        PolicyCreate create =
                new PolicyCreate()
                        .withName("java-policy")
                        .withEnabled(true)
                        .withOperationType(PolicyCreate.OperationTypeEnum.BACKUP)
                        .withOperationDefinition(new PolicyoODCreate().withMaxBackups(10))
                        .withTrigger(new PolicyTriggerReq().withProperties(new PolicyTriggerPropertiesReq().withPattern(List.of(WEEKLY))));
        String policyId =
                client.createPolicy(new CreatePolicyRequest().withBody(new PolicyCreateReq().withPolicy(create))).getPolicy().getId();
        client.associateVaultPolicy(
                new AssociateVaultPolicyRequest().withVaultId(vault.getId()).withBody(new VaultAssociate().withPolicyId(policyId)));
        List<Boolean> policies = new ArrayList<>();
        client.listPolicies(new ListPoliciesRequest().withVaultId(vault.getId()))
                .getPolicies()
                .forEach(
                        found ->
                                policies.add(
                                        found.getId().equals(policyId)
                                                && found.getTrigger().getProperties().getPattern().equals(List.of(WEEKLY))));
        seen.put("policies", policies);
        VaultAddResourceReq add =
                new VaultAddResourceReq().withResources(List.of(new ResourceCreate().withId(volumeId).withType("OS::Cinder::Volume")));
        seen.put(
                "added",
                client.addVaultResource(new AddVaultResourceRequest().withVaultId(vault.getId()).withBody(add)).getAddResourceIds());

        VaultBackup run = new VaultBackup().withVaultId(vault.getId()).withParameters(new CheckpointParam().withName("java-run"));
        var checkpoint =
                client.createCheckpoint(new CreateCheckpointRequest().withBody(new VaultBackupReq().withCheckpoint(run))).getCheckpoint();
        seen.put("checkpoint_at_first", String.valueOf(checkpoint.getStatus()));
        ShowCheckpointRequest showCheckpoint = new ShowCheckpointRequest().withCheckpointId(checkpoint.getId());
        String made =
                until("the restore point", () -> overOrNull(client.showCheckpoint(showCheckpoint).getCheckpoint().getStatus()));
        seen.put("checkpoint", Map.of("status", made));
        List<String> listed =
                client.listBackups(new ListBackupsRequest().withCheckpointId(checkpoint.getId())).getBackups().stream()
                        .map(BackupResp::getId)
                        .toList();
        seen.put("listed", listed);
        String backupId = listed.get(0);
        ShowBackupRequest showBackup = new ShowBackupRequest().withBackupId(backupId);
        BackupResp backup = client.showBackup(showBackup).getBackup();
        seen.put("backup", Map.of("id", backup.getId(), "resource_id", backup.getResourceId()));
        String logId = client.listOpLogs(new ListOpLogsRequest().withVaultId(vault.getId())).getOperationLogs().get(0).getId();
        var log = client.showOpLog(new ShowOpLogRequest().withOperationLogId(logId)).getOperationLog();
        seen.put("log", Map.of("status", String.valueOf(log.getStatus())));

        BackupRestoreReq restore = new BackupRestoreReq().withRestore(new BackupRestore().withVolumeId(volumeId));
        client.restoreBackup(new RestoreBackupRequest().withBackupId(backupId).withBody(restore));
        seen.put("after_restore", until("the restore", () -> overOrNull(client.showBackup(showBackup).getBackup().getStatus())));

        String region =
                client.showReplicationCapabilities(new ShowReplicationCapabilitiesRequest()).getRegions().get(0).getName();
        VaultCreateResource replicas = makeVault(client, "java-replicas", BillingCreate.ProtectTypeEnum.REPLICATION);
        BackupReplicateReqBody copy =
                new BackupReplicateReqBody()
                        .withDestinationProjectId(vault.getProjectId())
                        .withDestinationRegion(region)
                        .withDestinationVaultId(replicas.getId());
        client.copyBackup(new CopyBackupRequest().withBackupId(backupId).withBody(new BackupReplicateReq().withReplicate(copy)));
        ReplicationRecordGet record =
                until(
                        "the replication",
                        () -> {
                            ReplicationRecordGet latest = client.showBackup(showBackup).getBackup().getReplicationRecords().get(0);
                            return overOrNull(latest.getStatus()) == null ? null : latest;
                        });
        seen.put("replicated", String.valueOf(record.getStatus()));
        ShowBackupRequest showReplica = new ShowBackupRequest().withBackupId(record.getDestinationBackupId());
        seen.put("replica_is", client.showBackup(showReplica).getBackup().getImageType());

        VaultCreateResource received = makeVault(other, "java-received", BillingCreate.ProtectTypeEnum.BACKUP);
        client.addMember(
                new AddMemberRequest().withBackupId(backupId).withBody(new AddMembersReq().withMembers(List.of(otherProjectId))));
        UpdateMember accept = new UpdateMember().withStatus(UpdateMember.StatusEnum.ACCEPTED).withVaultId(received.getId());
        seen.put(
                "member",
                String.valueOf(
                        other.updateMemberStatus(
                                        new UpdateMemberStatusRequest()
                                                .withBackupId(backupId)
                                                .withMemberId(otherProjectId)
                                                .withBody(accept))
                                .getMember()
                                .getStatus()));
        seen.put(
                "received",
                other.listBackups(new ListBackupsRequest().withOwnType(ListBackupsRequest.OwnTypeEnum.SHARED)).getBackups().stream()
                        .map(BackupResp::getId)
                        .toList());

        VaultTagsCreateReq tag = new VaultTagsCreateReq().withTag(new Tag().withKey("stage").withValue("test"));
        client.createVaultTags(new CreateVaultTagsRequest().withVaultId(vault.getId()).withBody(tag));
        BulkCreateAndDeleteVaultTagsReq batch =
                new BulkCreateAndDeleteVaultTagsReq()
                        .withAction(BulkCreateAndDeleteVaultTagsReq.ActionEnum.CREATE)
                        .withTags(List.of(new Tag().withKey("team").withValue("storage")));
        client.batchCreateAndDeleteVaultTags(
                new BatchCreateAndDeleteVaultTagsRequest().withVaultId(vault.getId()).withBody(batch));
        client.deleteVaultTag(new DeleteVaultTagRequest().withVaultId(vault.getId()).withKey("stage"));
        seen.put(
                "tags",
                client.showVaultTag(new ShowVaultTagRequest().withVaultId(vault.getId())).getTags().stream()
                        .map(found -> List.of(found.getKey(), found.getValue()))
                        .toList());
        VaultResourceInstancesReq filter =
                new VaultResourceInstancesReq()
                        .withAction("filter")
                        .withTags(List.of(new TagsReq().withKey("team").withValues(List.of("storage"))));
        seen.put(
                "tagged",
                client.showVaultResourceInstances(new ShowVaultResourceInstancesRequest().withBody(filter)).getResources().stream()
                        .map(found -> found.getResourceId().equals(vault.getId()))
                        .toList());

        client.deleteMember(new DeleteMemberRequest().withBackupId(backupId).withMemberId(otherProjectId));
        client.disassociateVaultPolicy(
                new DisassociateVaultPolicyRequest().withVaultId(vault.getId()).withBody(new VaultDissociate().withPolicyId(policyId)));
        client.deletePolicy(new DeletePolicyRequest().withPolicyId(policyId));
        client.deleteBackup(new DeleteBackupRequest().withBackupId(backupId));
        seen.put("gone", until("the deletion", () -> gone(() -> client.showBackup(showBackup))));
        List<Object> codes = new ArrayList<>();
        deleteVault(client, vault.getId(), codes);
        deleteVault(client, replicas.getId(), codes);
        deleteVault(other, received.getId(), codes);
        seen.put("vaults_gone", codes);
        Set<String> ours = Set.of(vault.getId(), replicas.getId());
        seen.put(
                "vaults_left",
                client.listVault(new ListVaultRequest()).getVaults().stream().map(Vault::getId).filter(ours::contains).toList());
        System.out.println(new ObjectMapper().writeValueAsString(seen));
    }

    private static void deleteVault(CbrClient owner, String id, List<Object> codes) throws InterruptedException {
        owner.deleteVault(new DeleteVaultRequest().withVaultId(id));
        ShowVaultRequest show = new ShowVaultRequest().withVaultId(id);
        codes.add(until("a vault's deletion", () -> gone(() -> owner.showVault(show))).get("error_code"));
    }
}
