// Picks from the call to the count on every screen: counted per partition, summed, pushed to the user who picked and to all watchers.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { topics as contracts } from "../../services/contract.ts";
import { selections } from "../../services/selections/selections.ts";
import { summary } from "../../services/summary/summary.ts";
import { sync } from "../../services/sync/sync.ts";
import { serverNamed } from "./injected-faults.ts";
import { callUntilAnswered, createNode, type Node } from "./nodes.ts";
import { endpointFinder, type Frame, openScreen, type SocketEndpoint } from "./screens.ts";
import { checkCounts } from "./selections.check.ts";
import { modelSelections, modelSummary } from "./selections.model.ts";
import { addSocketService } from "./sockets.ts";
import type { World, WorldContext } from "./world.ts";

const MAX_PARTITIONS = 3;
const NAMES = ["a", "b", "c"];
const USERS = ["ann", "bob"];
const PUSHED_TOPICS = ["SelectionSummary", "SynchronizationResults"];
const POISON = ["[", '{"name":"a","id":"x"}', '{"name":"a","id":"","user_id":"ann"}'];

/** The counts in a frame, by name. */
const countsIn = ({ code, data }: Frame): [string, number][] => {
	const list =
		code === "SelectionSummary"
			? [data]
			: code === "Selections"
				? data
				: code === "SynchronizationResults"
					? data.selections
					: [];
	return list.map(({ name, count }: { name: string; count: number }) => [name, count]);
};

export function picks({ scheduler, faults, topics, mutant }: WorldContext): World {
	const { random } = scheduler;
	const partitions = random.between(1, MAX_PARTITIONS);
	/** The fewer, the more often owners of one partition count the same name one after the other. */
	const pickedNames = NAMES.slice(0, random.between(1, NAMES.length));
	const { store, server, counts, stored, checkpoints } = modelSelections(scheduler, faults);
	const postgres = serverNamed("postgres", scheduler, faults);
	const { store: summaryStore, rows } = modelSummary(postgres);
	const endpoints = new Map<Node, SocketEndpoint>();
	const accepted = new Set<string>();
	const poison: string[] = [];

	const nodes: Node[] = ["node-1", "node-2"].slice(0, random.between(1, 2)).map(name => {
		const node: Node = createNode(
			name,
			scheduler,
			running => {
				const withTopics = () => topicsMixin(topics.log, { contracts, partitions });
				const { broker } = running;
				broker.createService(selections(store, { names: NAMES, mixins: [withTopics()] }));
				broker.createService(summary(mutant?.summary?.(summaryStore, rows) ?? summaryStore, NAMES));
				broker.createService(sync([withTopics()]));
				endpoints.set(node, addSocketService(running, PUSHED_TOPICS, withTopics()));
			},
			({ actor }) => topics.groups.removeAfterTimeout(actor)
		);
		return node;
	});
	const call = callUntilAnswered(nodes, random);
	const findEndpoint = endpointFinder(nodes, endpoints, random);

	const screens = Array.from({ length: random.between(1, 3) }, () => {
		const user = random.pick(USERS);
		const watches = random.chance(0.7);
		const watch = () => watches && screen.send({ code: "watch", data: { selections: true } });
		const screen = openScreen(scheduler, {
			user,
			findEndpoint,
			onFrame: (frame, before) => {
				if (frame.code === "error") return watch();
				if (frame.data.user_id) assert.equal(frame.data.user_id, user, `${frame.code} of another user was pushed`);
				const shown = new Map(before.flatMap(countsIn));
				for (const [name, count] of countsIn(frame))
					assert.ok(
						count >= (shown.get(name) ?? 0),
						`a count decreased from ${shown.get(name)} to ${count} of ${name} (${frame.code})`
					);
			},
			onConnected: () => {
				watch();
				if (random.chance(0.5)) void call("sync.request", { user_id: user });
			}
		});
		return { ...screen, watches, view: screen };
	});

	const picker = async (n: number) => {
		for (let left = random.between(1, 8); left > 0; left--) {
			await delay(random.between(0, 1_000));
			// Ids repeat, sometimes with another name: the first pick of an id counts.
			const pick = { id: `${n}-${random.between(1, 6)}`, name: random.pick(pickedNames), user_id: random.pick(USERS) };
			await call("selections.pick", pick);
			accepted.add(pick.id);
			if (random.chance(0.2)) {
				await delay(random.between(0, 60_000));
				await call("selections.pick", pick);
			}
		}
	};

	const foreigner = async () => {
		for (let n = 0; n < random.between(0, 5); n++) {
			await delay(random.between(0, 2_000));
			const isPoison = random.chance(0.4);
			const value = isPoison
				? `${random.pick(POISON)}${" ".repeat(poison.length)}`
				: JSON.stringify({ id: `f-${n}`, name: random.pick([...NAMES, "old"]), user_id: random.pick(USERS), more: true });
			if (isPoison) poison.push(value);
			topics.write({ topic: "Selections", key: null, value, partition: random.between(0, partitions - 1) });
		}
	};

	/** Moves the partitions of the picks so often that one comes back to an owner that has counted in it before. */
	const rebalancer = async () => {
		for (let left = random.chance(0.3) ? 10 : 0; left > 0; left--) {
			await delay(random.between(0, 1_000));
			topics.groups.reassign("Selections");
		}
	};

	return {
		nodes,
		servers: [server, postgres],
		async runClients() {
			while (!topics.exist("Selections")) await delay(10);
			await Promise.all([...Array.from({ length: random.between(1, 5) }, (_, n) => picker(n)), foreigner(), rebalancer()]);
		},
		isIdle: () => screens.every(({ view }) => view.isOpen),
		check() {
			checkCounts({ topics, accepted, poison, counts: counts(), stored, checkpoints, rows });
			for (const { view, watches } of screens) {
				const shown = new Map(view.frames.flatMap(countsIn));
				if (watches)
					for (const name of NAMES)
						assert.equal(shown.get(name), counts().get(name) ?? 0, `a watching screen shows an outdated count of ${name}`);
			}
		}
	};
}
