// The promises of the outbox and its relay, on both kinds of Postgres.
import { after, afterEach, before, describe } from "node:test";
import type { Knex } from "knex";
import { ServiceBroker } from "moleculer";
import type { Database } from "../database/database.ts";
import { waitUntilReachable } from "../dependency.ts";
import { leaseSuite } from "./lease.suite.ts";
import { testbed } from "./outbox.fixture.ts";
import { relaySuite } from "./relay.suite.ts";
import { statementsSuite } from "./statements.suite.ts";

export const outboxSuite = (profile: string, open: () => Promise<{ database: Database; close: () => Promise<void> }>) =>
	describe(`outbox, ${profile}`, () => {
		let knex: Knex;
		let close: () => Promise<void>;
		before(async () => {
			const opened = await open();
			close = opened.close;
			knex = opened.database.knex;
			await waitUntilReachable(opened.database, new ServiceBroker({ logger: false }).logger, () => false);
		});
		const bed = testbed(() => knex);
		afterEach(() => bed.stopAll());
		after(() => close?.());

		relaySuite(bed);
		leaseSuite(bed);
		statementsSuite(bed);
	});
