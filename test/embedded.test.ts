// Runs all stories on the embedded profile: one process, which needs nothing but npm.
import { after, before, describe } from "node:test";
import { accountsStory } from "./accounts.story.ts";
import { commerceStory } from "./commerce.story.ts";
import { endpointsStory } from "./endpoints.story.ts";
import { framesStory } from "./frames.story.ts";
import { grpcStory } from "./grpc.story.ts";
import { httpStory } from "./http.story.ts";
import { httpEdgesStory } from "./http-edges.story.ts";
import { metricsStory } from "./metrics.story.ts";
import { purchasesStory } from "./purchases.story.ts";
import { seatsStory } from "./seats.story.ts";
import { seatsLiveStory } from "./seats-live.story.ts";
import { selectionsStory } from "./selections.story.ts";
import { socketIoStory } from "./socket-io.story.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

describe("embedded", () => {
	let system: System;
	before(async () => {
		system = await startSystem({ profile: "embedded", env: { JWT_SECRET } });
	});
	after(() => system?.stop());

	for (const story of [
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
		seatsLiveStory,
		metricsStory
	])
		story(() => system);
});
