// Shows, holds, the queue and live seat maps, seen by clients of the whole system.
import { describe } from "node:test";
import { holdsStory } from "./seats-holds.story.ts";
import { seatQueueStory } from "./seats-queue.story.ts";
import { seatScreensStory } from "./seats-screens.story.ts";
import { showsStory } from "./seats-shows.story.ts";
import type { System } from "./system.ts";

/** The system must have been started with the tests' JWT_SECRET. */
export const seatsStory = (plaza: () => System) =>
	describe("seats", () => {
		for (const story of [showsStory, holdsStory, seatScreensStory, seatQueueStory]) story(plaza);
	});
