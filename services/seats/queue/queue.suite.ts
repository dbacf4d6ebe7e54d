// The promises of the fair queue's store, on any Postgres. Time passes only where a test says so.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { openPostgres } from "../../../mixins/database/database.ts";
import type { Scratch } from "../../../test/scratch.ts";
import { areAdmitted, type QueueStore, sqlQueue } from "./queue.store.ts";
import { ADMITTED, applicants, NOON, people, type Testbed, testbed } from "./queue.testing.ts";

const LEASE_OVER_MS = 8_000;
const iso = (ms: number) => new Date(ms).toISOString();

export const queueSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`the fair queue, ${where}`, () => {
		let scratch: Scratch;
		let bed: Testbed;
		/** Two nodes. On a server each has connections of its own; the embedded Postgres has one session. */
		let nodes: [QueueStore, QueueStore];
		let closeOther: () => Promise<void> = async () => {};

		before(async () => {
			scratch = await open();
			bed = await testbed(scratch);
			const other = scratch.url ? openPostgres(scratch.url) : undefined;
			closeOther = async () => other?.close();
			nodes = [bed.store(), bed.store(other?.knex)];
		});
		after(async () => {
			await closeOther();
			await scratch?.db.close();
			await scratch?.remove();
		});
		beforeEach(async () => {
			await bed.setClock(NOON - 60_000);
			await bed.forgetQueues();
			await bed.expireLease();
		});

		const join = (showId: string, users: string[], node = nodes[0]) => node.join(applicants(showId, users));
		const admit = (node = nodes[0], name = "node") => node.admit(name);
		/** As many rounds as have something to do. */
		const admitAll = async () => {
			while ((await admit()).nextInMs === 0);
		};

		describe("joining", () => {
			it("gives an account one place, however often it joins, in one batch or through two nodes at once", async () => {
				await bed.setClock(NOON);
				const showId = await bed.show(NOON, 1);
				const users = people(20);
				const answers = await Promise.all([
					join(showId, [...users, ...users]),
					join(showId, users.toReversed(), nodes[1]),
					join(showId, users, nodes[1])
				]);
				const first = answers[0].slice(0, users.length);
				assert.deepEqual(answers[0].slice(users.length), first);
				assert.deepEqual(answers[1].toReversed(), first);
				assert.deepEqual(answers[2], first);
				assert.deepEqual(
					[...(await bed.places(showId)).values()],
					users.map((_, n) => n + 1),
					"no number is left out"
				);
			});

			it("is refused for an unknown show, and needless for a show without a queue", async () => {
				const open = await bed.show(null);
				const [unknown, admitted] = await nodes[0].join([
					{ showId: "unknown", userId: "a" },
					{ showId: open, userId: "a" }
				]);
				assert.equal(unknown, undefined);
				assert.deepEqual(admitted, ADMITTED);
				assert.equal((await bed.places(open)).size, 0);
			});

			it("answers before the opening how many lots are smaller, and when the account is admitted at the earliest", async () => {
				const showId = await bed.show(NOON, 10);
				const users = people(40);
				await join(showId, users.slice(0, 25));
				await join(showId, users.slice(25), nodes[1]);
				const drawn = await bed.drawn(showId, users);
				const answers = await join(showId, drawn);
				assert.deepEqual(
					answers,
					drawn.map((_, ahead) => ({ state: "waiting", ahead, until: iso(NOON + Math.max(0, ahead + 1 - 10) * 100) }))
				);
				for (const ahead of [0, 7, 39]) assert.deepEqual(await join(showId, [drawn[ahead]!]), [answers[ahead]], "asked alone");
			});

			it("orders by lot those who joined before the opening, and as they came those who join from exactly then", async () => {
				const showId = await bed.show(NOON, 1);
				const early = people(30);
				await bed.setClock(NOON - 1);
				await join(showId, early);
				await bed.setClock(NOON);
				const late = people(30);
				// The first of them opens the queue: no admission has run yet.
				for (const [n, user] of late.entries()) await join(showId, [user], nodes[n % 2]);
				const expected = [...(await bed.drawn(showId, early)), ...late];
				assert.deepEqual([...(await bed.places(showId)).keys()], expected);
				const answers = await join(showId, expected);
				assert.deepEqual(
					answers.map(place => place?.ahead),
					expected.map((_, n) => n)
				);
			});

			it("counts as late who joins while the opening passes", async () => {
				const showId = await bed.show(NOON, 1);
				const [early, late] = [people(5), people(5)];
				await bed.setClock(NOON - 1);
				await join(showId, early);
				// The clock reaches the opening after the accounts were looked up, and before they are stored.
				const raw = async (sql: string, values: never) => {
					if (sql.includes("insert into show_queue (")) await bed.setClock(NOON);
					return bed.knex.raw(sql, values);
				};
				const delayed = new Proxy(bed.knex, { get: (knex, name) => (name === "raw" ? raw : Reflect.get(knex, name)) });
				await join(showId, late, bed.store(delayed));
				assert.deepEqual([...(await bed.places(showId)).keys()], [...(await bed.drawn(showId, early)), ...late]);
			});

			it("draws another order for another show", async () => {
				const users = people(30);
				const [one, other] = [await bed.show(), await bed.show()];
				await nodes[0].join(users.flatMap(userId => [one, other].map(showId => ({ showId, userId }))));
				await bed.setClock(NOON);
				await admitAll();
				const orders = await Promise.all([one, other].map(async showId => [...(await bed.places(showId)).keys()]));
				assert.deepEqual(orders[0], await bed.drawn(one, users));
				assert.deepEqual(orders[1], await bed.drawn(other, users));
				assert.notDeepEqual(orders[0], orders[1]);
			});

			it("leaves nobody out while queues open on two nodes", async () => {
				const shows = await Promise.all([1, 2, 3].map(() => bed.show(NOON, 5)));
				const users = people(40);
				const batches = users.flatMap((userId, n) => {
					const batch = shows.map(showId => ({ showId, userId }));
					return [nodes[n % 2]!.join(n % 3 === 0 ? batch.toReversed() : batch), ...(n === 20 ? [bed.setClock(NOON)] : [])];
				});
				const rounds = [admit(nodes[0]), admit(nodes[1]), admit(nodes[0])];
				await Promise.all([...batches, ...rounds]);
				await admitAll();
				for (const showId of shows) {
					const places = await bed.places(showId);
					assert.deepEqual(new Set(places.keys()), new Set(users));
					assert.deepEqual(
						[...places.values()],
						users.map((_, n) => n + 1)
					);
				}
			});
		});

		describe("admission", () => {
			/** A show at its opening, with accounts that joined before. */
			const opened = async (count: number, perSecond: number) => {
				const showId = await bed.show(NOON, perSecond);
				const users = people(count);
				await bed.setClock(NOON - 60_000);
				await join(showId, users);
				await bed.setClock(NOON);
				return { showId, drawn: await bed.drawn(showId, users) };
			};

			it("begins at the opening, and admits in order and at the rate, each with a message", async () => {
				const { showId, drawn } = await opened(40, 10);
				await bed.setClock(NOON - 1);
				assert.deepEqual(await admit(), { isLeader: true, opened: [], admitted: [], nextInMs: 1 });
				await bed.setClock(NOON);
				const round = await admit();
				assert.deepEqual(round.opened, [{ showId, places: 40 }]);
				assert.deepEqual(round.admitted, applicants(showId, drawn.slice(0, 10)));
				assert.ok(round.nextInMs! >= 100 && round.nextInMs! < 101, `${round.nextInMs} ms`);
				assert.deepEqual((await admit()).admitted, []);
				await bed.advance(450);
				assert.deepEqual((await admit()).admitted, applicants(showId, drawn.slice(10, 14)));
				await bed.advance(50);
				assert.deepEqual((await admit()).admitted, applicants(showId, drawn.slice(14, 15)), "half a token was left");
				assert.deepEqual(await bed.admitted(showId), drawn.slice(0, 15));
				const answers = await join(showId, drawn);
				assert.deepEqual(answers[14], ADMITTED);
				assert.deepEqual(answers[15], { state: "waiting", ahead: 0, until: iso(NOON + 600) });
				assert.deepEqual(answers[39], { state: "waiting", ahead: 24, until: iso(NOON + 3_000) });
			});

			it("sends the message of the contract", async () => {
				const { showId, drawn } = await opened(1, 10);
				await admit();
				const row = await bed.knex("seats_outbox").whereRaw("value::json ->> 'showId' = ?", [showId]).first();
				assert.equal(row.topic, "queue.updated");
				assert.equal(row.key, drawn[0]);
				assert.deepEqual(JSON.parse(row.value), { showId, userId: drawn[0], ...ADMITTED });
			});

			it("admits one account in two seconds at a rate of 0.5", async () => {
				const { showId, drawn } = await opened(3, 0.5);
				const counts: number[] = [];
				for (const ms of [0, 1_900, 100, 1_900, 100]) {
					await bed.advance(ms);
					counts.push((await admit()).admitted.length);
				}
				assert.deepEqual(counts, [1, 0, 1, 0, 1]);
				assert.deepEqual(await bed.admitted(showId), drawn);
			});

			it("keeps the tokens over a restart, neither lost nor doubled", async () => {
				const { showId, drawn } = await opened(100, 10);
				await admit();
				await bed.advance(250);
				assert.equal((await admit(bed.store(), "node")).admitted.length, 2);
				await bed.advance(50);
				assert.equal((await admit(bed.store(), "node")).admitted.length, 1, "half a token was left");
				await bed.advance(60_000);
				assert.equal((await admit(bed.store(), "node")).admitted.length, 10, "nothing is saved beyond the burst");
				assert.deepEqual(await bed.admitted(showId), drawn.slice(0, 23));
			});

			it("admits in order, nobody twice and not too many while two nodes believe that they have the lease", async () => {
				const { showId, drawn } = await opened(120, 10);
				for (let step = 0; step < 10; step++) {
					// Under one name both have it.
					await Promise.all([admit(nodes[0]), admit(nodes[1]), admit(nodes[1]), admit(nodes[0])]);
					assert.deepEqual(await bed.admitted(showId), drawn.slice(0, 10 + 5 * step));
					await bed.advance(500);
				}
			});

			it("commits an admission together with its messages, or not at all", async () => {
				const { showId, drawn } = await opened(5, 10);
				const box = bed.outboxOf();
				const failing = {
					...box,
					add: async () => {
						throw new Error("the outbox failed");
					}
				};
				await assert.rejects(sqlQueue(bed.knex, failing, { now: bed.now }).admit("node"), /the outbox failed/);
				const buyers = drawn.map(buyerId => ({ showId, buyerId }));
				assert.deepEqual(
					await areAdmitted(bed.knex, buyers),
					drawn.map(() => false)
				);
				assert.deepEqual((await admit()).admitted, applicants(showId, drawn));
				assert.deepEqual(await bed.admitted(showId), drawn);
			});

			it("lets every admitted account hold, and nobody else", async () => {
				const { showId, drawn } = await opened(20, 10);
				const admittedIds = async () => {
					const buyers = [...drawn, "stranger"].map(buyerId => ({ showId, buyerId }));
					const answers = await areAdmitted(bed.knex, buyers);
					return buyers.filter((_, n) => answers[n]).map(({ buyerId }) => buyerId);
				};
				assert.deepEqual(await admittedIds(), [], "at the opening, before the first round");
				await admit();
				assert.deepEqual(await admittedIds(), drawn.slice(0, 10));
				const another = await bed.show(NOON, 10);
				assert.deepEqual(await areAdmitted(bed.knex, [{ showId: another, buyerId: drawn[0]! }]), [false]);
				await bed.advance(3_600_000);
				await admit();
				assert.deepEqual(await admittedIds(), drawn);
			});

			it("admits from each queue at its own rate, and those who join an open queue", async () => {
				const [fast, slow] = [await opened(30, 20), await opened(30, 2)];
				const later = people(3);
				const third = await bed.show(NOON, 100);
				await join(third, later);
				const { admitted } = await admit();
				const of = (showId: string) => admitted.filter(one => one.showId === showId).map(({ userId }) => userId);
				assert.deepEqual(of(fast.showId), fast.drawn.slice(0, 20));
				assert.deepEqual(of(slow.showId), slow.drawn.slice(0, 2));
				assert.deepEqual(of(third), later);
			});
		});

		describe("the lease", () => {
			it("lets one node admit, another one after it has expired, and at once after it was given up", async () => {
				const [one, other] = nodes;
				const leads = async (node: QueueStore, name: string) => (await node.admit(name)).isLeader;
				assert.equal(await leads(one, "one"), true);
				assert.equal(await leads(other, "other"), false);
				await bed.advance(LEASE_OVER_MS - 1);
				assert.equal(await leads(other, "other"), false);
				await bed.advance(1);
				assert.equal(await leads(other, "other"), true);
				assert.equal(await leads(one, "one"), false);
				await one.release("one");
				assert.equal(await leads(one, "one"), false, "it had nothing to give up");
				await other.release("other");
				assert.equal(await leads(one, "one"), true);
			});

			it("belongs to a node also after its restart", async () => {
				assert.equal((await nodes[0].admit("one")).isLeader, true);
				assert.equal((await bed.store().admit("one")).isLeader, true);
			});
		});
	});
