import com.fasterxml.jackson.databind.ObjectMapper;
import com.huaweicloud.sdk.cbr.v1.CbrClient;
import com.huaweicloud.sdk.cbr.v1.model.BackupResp;
import com.huaweicloud.sdk.cbr.v1.model.ListBackupsRequest;
import com.huaweicloud.sdk.cbr.v1.model.ShowBackupRequest;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.core.region.Region;
import java.util.LinkedHashMap;
import java.util.Map;

/** Shows one backup with the public Java SDK; reads CLOUD_SDK_AK, CLOUD_SDK_SK, REGION, ENDPOINT, BACKUP_ID and prints JSON. */
public class ShowBackup {
    public static void main(String[] arguments) throws Exception {
        String endpoint = System.getenv("ENDPOINT");
        BasicCredentials credentials =
                new BasicCredentials()
                        .withIamEndpoint(endpoint)
                        .withAk(System.getenv("CLOUD_SDK_AK"))
                        .withSk(System.getenv("CLOUD_SDK_SK"));
        CbrClient client =
                CbrClient.newBuilder()
                        .withCredential(credentials)
                        .withRegion(new Region(System.getenv("REGION"), endpoint))
                        .build();
        BackupResp backup =
                client.showBackup(new ShowBackupRequest().withBackupId(System.getenv("BACKUP_ID"))).getBackup();
        Map<String, Object> seen = new LinkedHashMap<>();
        seen.put("id", backup.getId());
        seen.put("name", backup.getName());
        seen.put("status", String.valueOf(backup.getStatus()));
        seen.put("resource_size", backup.getResourceSize());
        seen.put("created_at", String.valueOf(backup.getCreatedAt()));
        seen.put("protected_at", String.valueOf(backup.getProtectedAt()));
        seen.put("incremental", backup.getIncremental());
        seen.put("listed", client.listBackups(new ListBackupsRequest()).getBackups().size());
        try {
            client.showBackup(new ShowBackupRequest().withBackupId("00000000-0000-4000-8000-000000000000"));
        } catch (ServiceResponseException error) {
            seen.put("missing_status", error.getHttpStatusCode());
            seen.put("missing_code", error.getErrorCode());
            seen.put("missing_request_id", error.getRequestId());
        }
        System.out.println(new ObjectMapper().writeValueAsString(seen));
    }
}
