// Many people and two nodes, whose admission runs by itself: order and rate over restarts, on any Postgres.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import type { Knex } from "knex";
import { ServiceBroker } from "moleculer";
import { ContractValidator } from "../../../contract/validator.ts";
import { openPostgres } from "../../../mixins/database/database.ts";
import { checksOf } from "../../../mixins/health.ts";
import { eventually } from "../../../test/client.ts";
import { noTopics } from "../../../test/no-topics.ts";
import type { Scratch } from "../../../test/scratch.ts";
import { actions } from "../../contract.ts";
import { callAs, newIdentity } from "../../orders/orders.testing.ts";
import { memoryCache } from "../seats.store.cache.ts";
import { seats } from "../seats.ts";
import { type AdmissionOptions, startAdmission } from "./queue.admission.ts";
import type { Round } from "./queue.store.ts";
import { ADMITTED, NOON, people, reaches, STARTS_AT, type Testbed, testbed } from "./queue.testing.ts";

/** Short, so that a test that moves the clock need not wait. */
const PAUSES = { leastMs: 2, mostMs: 20, standbyMs: 20 };
const PEOPLE = 500;

export const admissionSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`admission on two nodes, ${where}`, () => {
		const running = new Set<ServiceBroker>();
		const connections: { close(): Promise<void> }[] = [];
		let scratch: Scratch;
		let bed: Testbed;

		before(async () => {
			scratch = await open();
			bed = await testbed(scratch);
		});
		after(async () => {
			for (const broker of running) await broker.stop();
			for (const one of connections) await one.close();
			await scratch?.db.close();
			await scratch?.remove();
		});

		/** Connections of a node of its own; the embedded Postgres has one session. */
		const connect = (): Knex => {
			if (!scratch.url) return bed.knex;
			const db = openPostgres(scratch.url, { maxConnections: 3 });
			connections.push(db);
			return db.knex;
		};

		/** A node of the service. `now`: the SQL text of its clock. */
		const startNode = async (name: string, now?: string, pauses: AdmissionOptions = PAUSES) => {
			const store = bed.seats(connect(), now);
			let isCrashed = false;
			const release = async (node: string) => {
				if (!isCrashed) await store.queue.release(node);
			};
			const broker = new ServiceBroker({ nodeID: name, logger: false, validator: new ContractValidator(actions) });
			const queue = { ...store.queue, release };
			broker.createService(
				seats({ ...store, queue }, memoryCache(), { mixins: [noTopics], timeoutMs: 60_000, admission: pauses })
			);
			await broker.start();
			running.add(broker);
			const stop = async () => {
				running.delete(broker);
				await broker.stop();
			};
			const callAsUser = (id: string) => callAs(broker, { ...newIdentity(), id });
			return {
				broker,
				as: callAsUser,
				join: (showId: string, id: string) => callAsUser(id)("seats.join", { id: showId }),
				stop,
				/** Ends without giving up the lease. */
				crash() {
					isCrashed = true;
					return stop();
				}
			};
		};
		const admittedBy = async (showId: string) => (await bed.admitted(showId)).length;
		const holder = async () => (await bed.knex("show_queue_lease").first("holder")).holder as string;

		it(`admits ${PEOPLE} people in order, at the rate to the token, and nobody twice, over a crash and a restart`, async () => {
			const perSecond = 12.5;
			const STEP_MS = 800;
			await bed.setClock(NOON - 60_000);
			const showId = await bed.show(NOON, perSecond);
			let one = await startNode("one");
			await eventually(async () => assert.equal(await holder(), "one"), "node one to have the lease");
			const two = await startNode("two");

			const [early, late] = [people(PEOPLE - 100), people(100)];
			await Promise.all(early.map((user, n) => [one, two][n % 2]!.join(showId, user)));
			await bed.setClock(NOON);
			for (const [n, user] of late.entries()) await [one, two][n % 2]!.join(showId, user);
			const expected = [...(await bed.drawn(showId, early)), ...late];

			for (let step = 0; ; step++) {
				const allowed = Math.min(PEOPLE, Math.floor(perSecond + (perSecond * step * STEP_MS) / 1_000));
				await reaches(allowed, () => admittedBy(showId), `${allowed} people to be admitted in step ${step}`);
				assert.deepEqual(await bed.admitted(showId), expected.slice(0, allowed), `step ${step}`);
				if (allowed === PEOPLE) break;
				if (step === 10) {
					await one.crash();
					one = await startNode("one");
				}
				if (step === 20) {
					await one.stop();
					await eventually(async () => assert.equal(await holder(), "two"), "node two to take the lease over");
					one = await startNode("one");
				}
				await bed.advance(STEP_MS);
			}
			assert.equal(new Set(await bed.admitted(showId)).size, PEOPLE);
			for (const [n, user] of [expected[0]!, expected[PEOPLE - 1]!].entries())
				assert.deepEqual(await [one, two][n]!.join(showId, user), ADMITTED);
			await one.stop();
			await two.stop();
		});

		it("admits people at most at the rate by Postgres' own clock, whichever node has the lease", async () => {
			const perSecond = 50;
			await bed.expireLease();
			const { rows } = await bed.knex.raw("select now() - interval '1 hour' as opened");
			const showId = await bed.show(rows[0].opened.getTime(), perSecond);
			let one = await startNode("one", "now()");
			const two = await startNode("two", "now()");
			const users = people(200);
			for (const [n, user] of users.entries()) {
				await [one, two][n % 2]!.join(showId, user);
				if (n % 80 === 40) {
					await one.stop();
					one = await startNode("one", "now()");
				}
			}
			await reaches(users.length, () => admittedBy(showId), "everyone to be admitted");
			assert.deepEqual(await bed.admitted(showId), users);
			const times = await bed.admissionTimes(showId);
			for (const [n, fromMs] of times.entries())
				for (const [m, toMs] of times.slice(n).entries()) {
					const most = perSecond + (perSecond * (toMs - fromMs)) / 1_000;
					// A time has µs, and a float of ms does not hold them exactly.
					assert.ok(m + 1 <= most + 0.01, `${m + 1} people in ${toMs - fromMs} ms`);
				}
			await one.stop();
			await two.stop();
		});

		it("is woken by a join in its process; then the account may hold seats", async () => {
			await bed.expireLease();
			await bed.setClock(NOON);
			const HOUR_MS = 3_600_000;
			const node = await startNode(randomUUID(), undefined, { leastMs: 1, mostMs: HOUR_MS, standbyMs: HOUR_MS });
			const queue = { opensAt: new Date(NOON).toISOString(), admitPerSecond: 10 };
			const show = { name: "Hamlet", startsAt: STARTS_AT, seats: ["A1", "A2", "A3"], queue };
			const { showId } = await node.as("admin")("seats.createShow", show);
			await eventually(async () => assert.equal(await holder(), node.broker.nodeID), "the first round");
			for (const [n, user] of people(3).entries()) {
				const hold = () => node.as(user)("seats.hold", { id: showId, seats: [`A${n + 1}`] });
				await assert.rejects(hold(), { code: 403, type: "NOT_ADMITTED" });
				assert.equal((await node.join(showId, user)).state, "waiting");
				await assert.doesNotReject(eventually(hold, "the join to wake the admission"));
				assert.deepEqual(await node.join(showId, user), ADMITTED);
			}
			await assert.rejects(node.join(randomUUID(), "somebody"), { code: 404, type: "NOT_FOUND" });
			await assert.rejects(node.broker.call("seats.join", { id: showId }), { code: 401, type: "UNAUTHORIZED" });
			assert.equal((await checksOf(node.broker)).queues, "ok");
			await node.stop();
		});

		it("continues although Postgres has never answered an earlier round", async () => {
			await bed.expireLease();
			const [store, name] = [bed.store(connect()), randomUUID()];
			const warnings: unknown[] = [];
			const logger = { debug: () => {}, info: () => {}, warn: (line: unknown) => void warnings.push(line) };
			let rounds = 0;
			const admit = (node: string) => (rounds++ === 0 ? new Promise<Round>(() => {}) : store.admit(node));
			const admission = startAdmission({ ...store, admit }, name, logger, { ...PAUSES, timeoutMs: 1_000 });
			await eventually(async () => assert.equal(await holder(), name), "the next round to take the lease");
			await admission.stop();
			assert.match(String(warnings[0]), /Postgres is unavailable/);
		});
	});
