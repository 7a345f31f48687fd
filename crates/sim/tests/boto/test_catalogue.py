import unittest

from botocore.exceptions import ClientError

from common import client


class Catalogue(unittest.TestCase):
    def setUp(self):
        self.bedrock = client("bedrock")
        self.runtime = client()

    def test_models(self):
        models = self.bedrock.list_foundation_models()["modelSummaries"]
        self.assertGreater(len(models), 100)
        nova = next(m for m in models if m["modelId"] == "amazon.nova-lite-v1:0")
        self.assertEqual(nova["modelName"], "Nova Lite")
        self.assertEqual(nova["providerName"], "Amazon")
        self.assertEqual(nova["inputModalities"], ["TEXT", "IMAGE"])
        self.assertEqual([m for m in models if not 1 <= len(m["modelName"]) <= 20], [])
        few = self.bedrock.list_foundation_models(byProvider="cohere", byOutputModality="EMBEDDING")["modelSummaries"]
        self.assertTrue(few and all(m["modelId"].startswith("cohere.embed") for m in few))
        demand = self.bedrock.list_foundation_models(byInferenceType="ON_DEMAND")["modelSummaries"]
        self.assertFalse(any("claude-sonnet-4-5" in m["modelId"] for m in demand))

    def test_one_model(self):
        got = self.bedrock.get_foundation_model(modelIdentifier="amazon.titan-embed-text-v2:0")["modelDetails"]
        self.assertEqual(got["outputModalities"], ["EMBEDDING"])
        by_arn = self.bedrock.get_foundation_model(modelIdentifier=got["modelArn"])["modelDetails"]
        self.assertEqual(by_arn, got)
        with self.assertRaises(ClientError) as e:
            self.bedrock.get_foundation_model(modelIdentifier="no.such-model")
        self.assertEqual(e.exception.response["Error"]["Code"], "ValidationException")

    def test_profiles_come_in_pages(self):
        pages = list(
            self.bedrock.get_paginator("list_inference_profiles").paginate(
                typeEquals="SYSTEM_DEFINED", PaginationConfig={"PageSize": 10}
            )
        )
        self.assertGreater(len(pages), 3)
        ids = [p["inferenceProfileId"] for page in pages for p in page["inferenceProfileSummaries"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertTrue(all(i.split(".")[0] in ("us", "global") for i in ids))
        eu = client("bedrock", "eu-west-1").list_inference_profiles(typeEquals="SYSTEM_DEFINED")
        self.assertTrue(any(p["inferenceProfileId"].startswith("eu.") for p in eu["inferenceProfileSummaries"]))
        own = self.bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
        self.assertEqual([p["inferenceProfileId"] for p in own], ["a1b2c3d4e5f6"])

    def test_one_profile(self):
        system = self.bedrock.get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-lite-v1:0")
        self.assertEqual((system["type"], system["status"], len(system["models"])), ("SYSTEM_DEFINED", "ACTIVE", 3))
        arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
        own = self.bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
        self.assertEqual((own["inferenceProfileArn"], own["type"]), (arn, "APPLICATION"))
        self.assertTrue(own["models"][0]["modelArn"].endswith("foundation-model/amazon.nova-pro-v1:0"))
        with self.assertRaises(self.bedrock.exceptions.ResourceNotFoundException):
            self.bedrock.get_inference_profile(inferenceProfileIdentifier="us.no.such")

    def test_asynchronous_jobs(self):
        ask = dict(
            modelId="amazon.nova-reel-v1:1",
            modelInput={"taskType": "TEXT_VIDEO"},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://sample-media/out/"}},
        )
        arn = self.runtime.start_async_invoke(**ask, clientRequestToken="one")["invocationArn"]
        self.assertEqual(self.runtime.start_async_invoke(**ask, clientRequestToken="one")["invocationArn"], arn)
        job = self.runtime.get_async_invoke(invocationArn=arn)
        self.assertEqual((job["status"], job["invocationArn"]), ("InProgress", arn))
        self.assertIsNotNone(job["submitTime"].tzinfo)
        self.runtime.start_async_invoke(**ask)
        rows = self.runtime.list_async_invokes(statusEquals="InProgress", maxResults=1)
        self.assertEqual(len(rows["asyncInvokeSummaries"]), 1)
        self.assertIn("nextToken", rows)
        self.assertEqual(self.runtime.list_async_invokes(statusEquals="Failed")["asyncInvokeSummaries"], [])
