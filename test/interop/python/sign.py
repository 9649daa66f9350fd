"""Signs requests with the public SDK's own signer.

Reads a JSON list of {method, path, query: [[name, value]], headers, body} from standard input; prints them as they go over the wire, with
{method, url, headers, bodyBase64}. Paths come in clear and are percent-encoded by `requests`, as the SDK has it done.
"""

import base64
import json
import sys
from types import SimpleNamespace

from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from requests.models import PreparedRequest

given = json.load(sys.stdin)
signer = Signer(SimpleNamespace(ak=given["accessKey"], sk=given["secret"]))
signed = []
for one in given["requests"]:
    request = SdkRequest(
        method=one["method"],
        schema="http",
        host="127.0.0.1:8799",
        resource_path=one["path"],
        query_params=[tuple(pair) for pair in one["query"]],
        header_params=dict(one["headers"]),
        body=one["body"],
    )
    request = signer.sign(request)
    prepared = PreparedRequest()
    prepared.prepare_url("http://127.0.0.1:8799" + request.uri, None)
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    signed.append(
        {
            "method": one["method"],
            "url": prepared.path_url,
            "headers": {name.lower(): value for name, value in request.header_params.items()},
            "bodyBase64": base64.b64encode(body).decode(),
        }
    )
json.dump(signed, sys.stdout)
