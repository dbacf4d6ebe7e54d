// Purchases from the frame to the balance on the screen: stored in Postgres, published by the outbox, summed in Redis, pushed to sockets. Foreign
// clients write purchases and poison records directly to the topic, some of them with invented totals in headers like ours.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { relay } from "../../mixins/outbox/relay.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { topics as contracts } from "../../services/contract.ts";
import { purchase } from "../../services/purchase/purchase.ts";
import { backfill } from "../../services/wallet/wallet.backfill.ts";
import { memoryBalances } from "../../services/wallet/wallet.store.memory.ts";
import { redisBalances } from "../../services/wallet/wallet.store.redis.ts";
import { wallet } from "../../services/wallet/wallet.ts";
import { callUntilAnswered, createNode, type Node } from "./nodes.ts";
import { modelPostgres } from "./postgres.model.ts";
import { checkBalance, checkPurchases, type ExpectedPurchases, FORGED } from "./purchases.check.ts";
import { modelPurchases, purchaseTables } from "./purchases.model.ts";
import { modelRedis } from "./redis.model.ts";
import { endpointFinder, openScreen, type SocketEndpoint } from "./screens.ts";
import { addSocketService } from "./sockets.ts";
import type { World, WorldContext } from "./world.ts";

/** Fewer than users, so that users share partitions. */
const PARTITIONS = 2;
const USERS = ["ann", "bob", "cy", "dan", "eve"];
const POLL_MS = { least: 50, most: 2_000 };
const PUSHED_TOPICS = ["WalletBalance"];
const POISON = ["{", '{"user_id":"ann"}', '{"user_id":"ann","amount":-1}', '{"user_id":7,"amount":1}'];

export function purchases({ scheduler, faults, topics }: WorldContext): World {
	const { random } = scheduler;
	const postgres = modelPostgres(scheduler, faults);
	const redis = modelRedis(scheduler, faults);
	const tables = purchaseTables();
	const store = modelPurchases(postgres, tables, scheduler);
	const expected: ExpectedPurchases = { bought: new Map(), foreign: [], poison: [] };
	const endpoints = new Map<Node, SocketEndpoint>();
	/** Either one process with totals in its own memory, or several processes with one Redis. */
	const isAlone = random.chance(0.25);

	const nodes: Node[] = (isAlone ? ["node-1"] : ["node-1", "node-2"]).map(name => {
		const node: Node = createNode(
			name,
			scheduler,
			running => {
				const { broker, actor } = running;
				const outbox = postgres.outboxOf(actor);
				const withTopics = () => topicsMixin(topics.log, { contracts, partitions: PARTITIONS });
				const connection = redis.connect(actor);
				const balances = isAlone
					? memoryBalances()
					: redisBalances(connection, () => topics.log.committed("wallet", "user_purchase"));
				const warm = isAlone ? [] : [backfill(balances, { redis: connection, log: topics.log, topic: "user_purchase" })];
				broker.createService(
					purchase(store, {
						mixins: [relay(outbox, topics.log, { pollMs: POLL_MS, isAlone }), withTopics()],
						batches: isAlone ? 1 : 2,
						newID: random.uuid
					})
				);
				broker.createService(wallet(balances, outbox, [...warm, withTopics()]));
				endpoints.set(node, addSocketService(running, PUSHED_TOPICS, withTopics()));
			},
			({ actor }) => {
				postgres.rollback(actor);
				topics.groups.removeAfterTimeout(actor);
			}
		);
		return node;
	});

	const call = callUntilAnswered(nodes, random);
	const findEndpoint = endpointFinder(nodes, endpoints, random);
	const screens = Array.from({ length: random.between(1, 3) }, () => {
		const user = random.pick(USERS);
		const screen = openScreen(scheduler, {
			user,
			findEndpoint,
			onFrame: ({ code, data }, before) => {
				if (code !== "balance") return;
				assert.equal(data.user_id, user, "the balance of another user was pushed");
				const last = before.findLast(frame => frame.code === "balance")?.data.balances.total ?? 0;
				assert.ok(data.balances.total >= last, `the balance decreased from ${last} to ${data.balances.total}`);
			},
			onConnected: () => {}
		});
		return screen;
	});

	/** Short and long pauses: some faults take long to show an effect. */
	const pauseMs = random.pick([200, 1_500, 8_000]);
	const buyer = async (name: number) => {
		for (let n = 0; n < random.between(1, 8); n++) {
			await delay(random.between(0, pauseMs));
			const bought = { id: `${name}-${n}`, user_id: random.pick(USERS), amount: random.between(1, 9_999) / 100 };
			// A frame is only an attempt: its answer is lost if its socket closes.
			if (random.chance(0.3)) random.pick(screens).send(bought);
			assert.deepEqual(await call("purchase.create", bought), bought, "the answer belongs to another purchase");
			expected.bought.set(`${bought.user_id} ${bought.id}`, bought);
			if (random.chance(0.3)) {
				await delay(random.between(0, 60_000));
				assert.deepEqual(await call("purchase.create", bought), bought);
				await assert.rejects(call("purchase.create", { ...bought, amount: Math.round(bought.amount * 100 + 1) / 100 }), {
					type: "CONFLICT"
				});
			}
		}
	};

	const foreigner = async () => {
		for (let n = 0; n < random.between(0, 4); n++) {
			await delay(random.between(0, 2_000));
			const isPoison = random.chance(0.4);
			const foreign = { user_id: random.pick(USERS), amount: random.between(1, 99), ...(random.chance(0.5) && { id: `f-${n}` }) };
			const value = isPoison ? `${random.pick(POISON)}${" ".repeat(expected.poison.length)}` : JSON.stringify(foreign);
			if (isPoison) expected.poison.push(value);
			else expected.foreign.push(foreign);
			const partition = random.chance(0.5) ? random.between(0, PARTITIONS - 1) : undefined;
			const headers: Headers = random.chance(0.5)
				? {}
				: { seq: String(random.between(1, 99)), total_cents: "7777777", proof: FORGED };
			topics.write({ topic: "user_purchase", key: random.chance(0.5) ? foreign.user_id : null, value, partition, headers });
		}
	};

	const reader = async () => {
		for (let n = 0; n < 12; n++) {
			await delay(random.between(0, pauseMs));
			const user_id = random.pick(USERS);
			const least = committedTotal(user_id);
			checkBalance(user_id, await call("wallet.getBalance", { user_id }), least, tables);
		}
	};

	/** The user's total that the wallet has committed: no later answer may be lower. */
	const committedTotal = (user: string) => {
		const committed = topics.groups.committed("wallet", "user_purchase");
		const known = topics.partitions("user_purchase").flatMap(({ records }, n) => records.slice(0, Math.max(0, committed[n]!)));
		const own = known.filter(({ key, headers }) => String(key) === user && headers.total_cents && headers.proof !== FORGED);
		return Math.max(0, ...own.map(({ headers }) => Number(headers.total_cents)));
	};

	return {
		nodes,
		servers: [postgres.server],
		loseData: isAlone ? undefined : () => (random.chance(0.7) ? redis.restart() : redis.flush()),
		async runClients() {
			// The topics must exist before a client writes to them directly.
			while (!topics.exist("user_purchase")) await delay(10);
			await Promise.all([...Array.from({ length: random.between(1, 5) }, (_, n) => buyer(n)), foreigner(), reader(), reader()]);
		},
		isIdle: () => postgres.waiting() === 0 && screens.every(({ isOpen }) => isOpen),
		async check() {
			checkPurchases(expected, tables, topics);
			for (const user of USERS) {
				const total = tables.totals.get(user)?.total_cents ?? 0;
				if (!isAlone)
					assert.equal(Number(redis.hash(`wallet:${user}`).total_cents ?? 0), total, `Redis holds a wrong total of ${user}`);
				for (const { frames } of screens.filter(screen => screen.user === user)) {
					const last = frames.findLast(({ code }) => code === "balance");
					if (last)
						assert.equal(Math.round(last.data.balances.total * 100), total, `a screen of ${user} shows an outdated total`);
				}
			}
		}
	};
}
