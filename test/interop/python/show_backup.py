"""Shows one backup with the public SDK, the way its documentation does: region, keys, one call.

Reads CLOUD_SDK_AK, CLOUD_SDK_SK, REGION, BACKUP_ID; the region's endpoint comes from the SDK's own
HUAWEICLOUD_SDK_REGION_CBR_<REGION> and HUAWEICLOUD_SDK_IAM_ENDPOINT. Prints the answer as JSON.
"""

import json
import os

from huaweicloudsdkcbr.v1 import CbrClient, ShowBackupRequest
from huaweicloudsdkcbr.v1.region.cbr_region import CbrRegion
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exceptions

credentials = BasicCredentials(os.environ["CLOUD_SDK_AK"], os.environ["CLOUD_SDK_SK"])
client = (
    CbrClient.new_builder()
    .with_credentials(credentials)
    .with_region(CbrRegion.value_of(os.environ["REGION"]))
    .build()
)
try:
    response = client.show_backup(ShowBackupRequest(backup_id=os.environ["BACKUP_ID"]))
    print(json.dumps(response.backup.to_dict(), default=str))
except exceptions.ClientRequestException as error:
    print(
        json.dumps(
            {
                "status_code": error.status_code,
                "request_id": error.request_id,
                "error_code": error.error_code,
                "error_msg": error.error_msg,
            }
        )
    )
    raise SystemExit(3)
