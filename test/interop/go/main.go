// Command interop shows one backup with the public Go SDK and prints the answer as JSON.
//
// Reads CLOUD_SDK_AK, CLOUD_SDK_SK, REGION, ENDPOINT, BACKUP_ID.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/region"
	cbr "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/cbr/v1"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/cbr/v1/model"
)

func main() {
	endpoint := os.Getenv("ENDPOINT")
	credential, err := basic.NewCredentialsBuilder().
		WithAk(os.Getenv("CLOUD_SDK_AK")).
		WithSk(os.Getenv("CLOUD_SDK_SK")).
		WithIamEndpointOverride(endpoint).
		SafeBuild()
	exitOn(err)
	connection, err := cbr.CbrClientBuilder().
		WithRegion(region.NewRegion(os.Getenv("REGION"), endpoint)).
		WithCredential(credential).
		SafeBuild()
	exitOn(err)
	client := cbr.NewCbrClient(connection)

	response, err := client.ShowBackup(&model.ShowBackupRequest{BackupId: os.Getenv("BACKUP_ID")})
	exitOn(err)
	listed, err := client.ListBackups(&model.ListBackupsRequest{})
	exitOn(err)
	ids := []string{}
	for _, backup := range *listed.Backups {
		ids = append(ids, backup.Id)
	}
	_, missing := client.ShowBackup(&model.ShowBackupRequest{BackupId: "00000000-0000-4000-8000-000000000000"})
	answer, err := json.Marshal(map[string]any{"backup": response.Backup, "listed": ids, "missing": fmt.Sprint(missing)})
	exitOn(err)
	fmt.Println(string(answer))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}
