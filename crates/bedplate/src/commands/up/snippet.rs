//! What a person pastes to make the first call.

use super::Ready;

pub(super) fn welcome(ready: &Ready) -> String {
    let Ready { data, control, key, ca_file, upstream, admin_key_file } = ready;
    let curl_ca = ca_file.as_ref().map_or_else(String::new, |f| format!(" --cacert {f}"));
    let boto_ca = ca_file.as_ref().map_or_else(String::new, |f| format!(" AWS_CA_BUNDLE={f}"));
    format!(
        r#"bedplate is ready, in front of {upstream}.

  data     {data}     applications call here
  control  {control}     console, metrics, health; its key is in {admin_key_file}

An AWS SDK needs nothing but its environment:

  export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={data} AWS_ENDPOINT_URL_BEDROCK={data}{boto_ca}
  export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret}
  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1

  python3 - <<'PY'
  import boto3
  answer = boto3.client("bedrock-runtime").converse(
      modelId="us.amazon.nova-lite-v1:0",
      messages=[{{"role": "user", "content": [{{"text": "What is a bedplate?"}}]}}])
  print(answer["output"]["message"]["content"][0]["text"], answer["usage"])
  PY

And curl its bearer key:

  curl -sS{curl_ca} {data}/model/us.amazon.nova-lite-v1%3A0/converse \
    -H 'Authorization: Bearer {bearer}' -H 'Content-Type: application/json' \
    -d '{{"messages":[{{"role":"user","content":[{{"text":"What is a bedplate?"}}]}}]}}'

Then: bedplate calls tail"#,
        id = key.access_key_id,
        secret = key.secret_access_key,
        bearer = key.bearer_token,
    )
}
