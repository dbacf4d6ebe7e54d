// Purchases, from the frame to the balance on the screen: bought in Postgres, told by the outbox, totalled in Redis, pushed to sockets. Others buy too,
// on the topic itself, and some write nonsense there.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { relay } from "../../mixins/outbox/relay.ts";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { topics as contracts } from "../../services/contract.ts";
import { purchase } from "../../services/purchase/purchase.ts";
import { keepWarm } from "../../services/wallet/wallet.backfill.ts";
import { memoryBalances } from "../../services/wallet/wallet.store.memory.ts";
import { redisBalances } from "../../services/wallet/wallet.store.redis.ts";
import { wallet } from "../../services/wallet/wallet.ts";
import { createNode, insist, type Node } from "./nodes.ts";
import { modelPostgres } from "./postgres.model.ts";
import { type Books, checkBalance, checkPurchases } from "./purchases.check.ts";
import { modelPurchases, purchaseTables } from "./purchases.model.ts";
import { modelRedis } from "./redis.model.ts";
import { type Door, doorFinder, openScreen } from "./screens.ts";
import { furnishSockets } from "./sockets.ts";
import type { Ground, World } from "./world.ts";

/** Fewer than users: they share some. */
const PARTITIONS = 2;
const USERS = ["ann", "bob", "cy", "dan", "eve"];
const POLL_MS = { least: 50, most: 2_000 };
const HEARD = ["WalletBalance"];
const POISON = ["{", '{"user_id":"ann"}', '{"user_id":"ann","amount":-1}', '{"user_id":7,"amount":1}'];

export function purchases({ scheduler, faults, topics }: Ground): World {
	const { random } = scheduler;
	const postgres = modelPostgres(scheduler, faults);
	const redis = modelRedis(scheduler, faults);
	const tables = purchaseTables();
	const store = modelPurchases(postgres, tables, scheduler);
	const books: Books = { bought: new Map(), elsewhere: [], poison: [] };
	const doors = new Map<Node, Door>();
	/** One process that keeps totals in its own memory, or several that share a Redis. */
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
				const warm = isAlone ? [] : [keepWarm(balances, { redis: connection, log: topics.log, topic: "user_purchase" })];
				broker.createService(
					purchase(store, {
						mixins: [relay(outbox, topics.log, { pollMs: POLL_MS }), withTopics()],
						batches: isAlone ? 1 : 2,
						newID: random.uuid
					})
				);
				broker.createService(wallet(balances, [...warm, withTopics()]));
				doors.set(node, furnishSockets(running, nodes, HEARD, withTopics(), scheduler));
			},
			({ actor }) => {
				postgres.rollback(actor);
				topics.groups.lose(actor);
			}
		);
		return node;
	});

	const ask = insist(nodes, random);
	const findDoor = doorFinder(nodes, doors, random);
	const screens = Array.from({ length: random.between(1, 3) }, () => {
		const user = random.pick(USERS);
		const screen = openScreen(scheduler, {
			user,
			findDoor,
			onFrame: ({ code, data }, before) => {
				if (code !== "balance") return;
				assert.equal(data.user_id, user, "somebody else's balance was shown");
				const last = before.findLast(frame => frame.code === "balance")?.data.balances.total ?? 0;
				assert.ok(data.balances.total >= last, `a screen went back from ${last} to ${data.balances.total}`);
			},
			onConnected: () => {}
		});
		return screen;
	});

	/** People in a hurry, or at leisure: some faults take long to show. */
	const pauseMs = random.pick([200, 1_500, 8_000]);
	const buyer = async (name: number) => {
		for (let n = 0; n < random.between(1, 8); n++) {
			await delay(random.between(0, pauseMs));
			const bought = { id: `${name}-${n}`, user_id: random.pick(USERS), amount: random.between(1, 9_999) / 100 };
			// A frame is a try: its answer may be lost with its socket.
			if (random.chance(0.3)) random.pick(screens).send(bought);
			assert.deepEqual(await ask("purchase.create", bought), bought, "the answer is another purchase's");
			books.bought.set(`${bought.user_id} ${bought.id}`, bought);
			if (random.chance(0.3)) {
				await delay(random.between(0, 60_000));
				assert.deepEqual(await ask("purchase.create", bought), bought);
				await assert.rejects(ask("purchase.create", { ...bought, amount: Math.round(bought.amount * 100 + 1) / 100 }), {
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
			const value = isPoison ? `${random.pick(POISON)}${" ".repeat(books.poison.length)}` : JSON.stringify(foreign);
			if (isPoison) books.poison.push(value);
			else books.elsewhere.push(foreign);
			const partition = random.chance(0.5) ? random.between(0, PARTITIONS - 1) : undefined;
			topics.write({ topic: "user_purchase", key: random.chance(0.5) ? foreign.user_id : null, value, partition });
		}
	};

	const reader = async () => {
		for (let n = 0; n < 12; n++) {
			await delay(random.between(0, pauseMs));
			const user_id = random.pick(USERS);
			const least = committedTotal(user_id);
			checkBalance(user_id, await ask("wallet.getBalance", { user_id }), least, tables);
		}
	};

	/** What the wallet has committed of a user: no answer may know less. */
	const committedTotal = (user: string) => {
		const committed = topics.groups.committed("wallet", "user_purchase");
		const known = topics.partitions("user_purchase").flatMap(({ records }, n) => records.slice(0, Math.max(0, committed[n]!)));
		const own = known.filter(({ key, headers }) => String(key) === user && headers.total_cents);
		return Math.max(0, ...own.map(({ headers }) => Number(headers.total_cents)));
	};

	return {
		nodes,
		servers: [postgres.server],
		forget: isAlone ? undefined : () => (random.chance(0.7) ? redis.restart() : redis.flush()),
		async people() {
			// Topics are there before anybody writes to them by hand.
			while (!topics.exist("user_purchase")) await delay(10);
			await Promise.all([...Array.from({ length: random.between(1, 5) }, (_, n) => buyer(n)), foreigner(), reader(), reader()]);
		},
		isQuiet: () => postgres.waiting() === 0 && screens.every(({ isOpen }) => isOpen),
		async check() {
			checkPurchases(books, tables, topics);
			for (const user of USERS) {
				const total = tables.totals.get(user)?.total_cents ?? 0;
				if (!isAlone)
					assert.equal(Number(redis.hash(`wallet:${user}`).total_cents ?? 0), total, `Redis holds another total of ${user}`);
				for (const { frames } of screens.filter(screen => screen.user === user)) {
					const last = frames.findLast(({ code }) => code === "balance");
					if (last) assert.equal(Math.round(last.data.balances.total * 100), total, `a screen of ${user} shows what is past`);
				}
			}
		}
	};
}
