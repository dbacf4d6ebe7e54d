// Runs all stories on the cluster profile: one process per service and two gateways, on real Kafka, Cassandra, Postgres and Redis, which must be running.
import { after, before, describe } from "node:test";
import { accountsStory } from "./accounts.story.ts";
import { commerceStory } from "./commerce.story.ts";
import { endpointsStory } from "./endpoints.story.ts";
import { foreignRecordsStory } from "./foreign-records.story.ts";
import { framesStory } from "./frames.story.ts";
import { grpcStory } from "./grpc.story.ts";
import { httpStory } from "./http.story.ts";
import { httpEdgesStory } from "./http-edges.story.ts";
import { metricsStory } from "./metrics.story.ts";
import { purchasesStory } from "./purchases.story.ts";
import { idleStory, readBackStory } from "./read-back.story.ts";
import { seatsStory } from "./seats.story.ts";
import { seatsLiveStory } from "./seats-live.story.ts";
import { selectionsStory } from "./selections.story.ts";
import { socketIoStory } from "./socket-io.story.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

describe("cluster", () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile: "cluster", env: { JWT_SECRET } });
	});
	after(() => system?.stop());

	const shared = [
		selectionsStory,
		purchasesStory,
		grpcStory,
		framesStory,
		httpStory,
		httpEdgesStory,
		endpointsStory,
		socketIoStory,
		accountsStory,
		commerceStory,
		seatsStory,
		seatsLiveStory
	];
	for (const story of [...shared, readBackStory, foreignRecordsStory, idleStory, metricsStory]) story(() => system);
});
