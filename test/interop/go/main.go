// Command interop shows one backup with the public Go SDK and prints the answer as JSON; with the argument `life` it goes through a backup's life.
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

// connect makes a client of the project; of the one that the region's name stands for, if none is given.
func connect(projectId string) *cbr.CbrClient {
	endpoint := os.Getenv("ENDPOINT")
	builder := basic.NewCredentialsBuilder().
		WithAk(os.Getenv("CLOUD_SDK_AK")).
		WithSk(os.Getenv("CLOUD_SDK_SK")).
		WithIamEndpointOverride(endpoint)
	if projectId != "" {
		builder = builder.WithProjectId(projectId)
	}
	credential, err := builder.SafeBuild()
	exitOn(err)
	connection, err := cbr.CbrClientBuilder().
		WithRegion(region.NewRegion(os.Getenv("REGION"), endpoint)).
		WithCredential(credential).
		SafeBuild()
	exitOn(err)
	return cbr.NewCbrClient(connection)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "life" {
		life()
		return
	}
	client := connect("")
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
