// The promises of the seats service, on any Postgres.
import { describe } from "node:test";
import { endingSuite } from "./seats.ending.suite.ts";
import { holdingSuite } from "./seats.holding.suite.ts";
import { mapsSuite } from "./seats.maps.suite.ts";
import { partialFailureSuite } from "./seats.partial-failure.suite.ts";
import { rushSuite } from "./seats.rush.suite.ts";
import { showsSuite } from "./seats.shows.suite.ts";
import { type SeatsScratch, seatsNode } from "./seats.testing.ts";

export const seatsSuite = (where: string, open: () => Promise<SeatsScratch>) =>
	describe(`seats on ${where}`, () => {
		const node = seatsNode(open);
		showsSuite(node);
		holdingSuite(node);
		endingSuite(node);
		rushSuite(node);
		partialFailureSuite(node);
		mapsSuite(node);
	});
