// Picks, from the call to the count on every screen: counted partition by partition, summed, pushed to whoever picked and to whoever watches.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { topics as contracts } from "../../services/contract.ts";
import { selections } from "../../services/selections/selections.ts";
import { summary } from "../../services/summary/summary.ts";
import { sync } from "../../services/sync/sync.ts";
import { serverNamed } from "./injected-faults.ts";
import { createNode, insist, type Node } from "./nodes.ts";
import { type Door, doorFinder, type Frame, openScreen } from "./screens.ts";
import { checkCounts } from "./selections.check.ts";
import { modelSelections, modelSummary } from "./selections.model.ts";
import { furnishSockets } from "./sockets.ts";
import type { Ground, World } from "./world.ts";

const PARTITIONS = 3;
const NAMES = ["a", "b", "c"];
const USERS = ["ann", "bob"];
const HEARD = ["SelectionSummary", "SynchronizationResults"];
const POISON = ["[", '{"name":"a","id":"x"}', '{"name":"a","id":"","user_id":"ann"}'];

/** The counts that a frame shows, by name. */
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

export function picks({ scheduler, faults, topics, plant }: Ground): World {
	const { random } = scheduler;
	const { store, server, counts, stored } = modelSelections(scheduler, faults);
	const postgres = serverNamed("postgres", scheduler, faults);
	const { store: summaryStore, rows } = modelSummary(postgres);
	const doors = new Map<Node, Door>();
	const accepted = new Set<string>();
	const poison: string[] = [];

	const nodes: Node[] = ["node-1", "node-2"].slice(0, random.between(1, 2)).map(name => {
		const node: Node = createNode(
			name,
			scheduler,
			running => {
				const withTopics = () => topicsMixin(topics.log, { contracts, partitions: PARTITIONS });
				const { broker } = running;
				broker.createService(selections(store, { names: NAMES, mixins: [withTopics()] }));
				broker.createService(summary(plant?.summary?.(summaryStore, rows) ?? summaryStore, NAMES));
				broker.createService(sync([withTopics()]));
				doors.set(node, furnishSockets(running, nodes, HEARD, withTopics(), scheduler));
			},
			({ actor }) => topics.groups.lose(actor)
		);
		return node;
	});
	const ask = insist(nodes, random);
	const findDoor = doorFinder(nodes, doors, random);

	const screens = Array.from({ length: random.between(1, 3) }, () => {
		const user = random.pick(USERS);
		const watches = random.chance(0.7);
		const watch = () => watches && screen.send({ code: "watch", data: { selections: true } });
		const screen = openScreen(scheduler, {
			user,
			findDoor,
			onFrame: (frame, before) => {
				if (frame.code === "error") return watch();
				if (frame.data.user_id) assert.equal(frame.data.user_id, user, `somebody else's ${frame.code} was shown`);
				const shown = new Map(before.flatMap(countsIn));
				for (const [name, count] of countsIn(frame))
					assert.ok(
						count >= (shown.get(name) ?? 0),
						`a screen went back from ${shown.get(name)} to ${count} of ${name} (${frame.code})`
					);
			},
			onConnected: () => {
				watch();
				if (random.chance(0.5)) void ask("sync.request", { user_id: user });
			}
		});
		return { ...screen, watches, view: screen };
	});

	const picker = async (n: number) => {
		for (let left = random.between(1, 8); left > 0; left--) {
			await delay(random.between(0, 1_000));
			// Ids come again, now and then for another name: the first stands.
			const pick = { id: `${n}-${random.between(1, 6)}`, name: random.pick(NAMES), user_id: random.pick(USERS) };
			await ask("selections.pick", pick);
			accepted.add(pick.id);
			if (random.chance(0.2)) {
				await delay(random.between(0, 60_000));
				await ask("selections.pick", pick);
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
			topics.write({ topic: "Selections", key: null, value, partition: random.between(0, PARTITIONS - 1) });
		}
	};

	return {
		nodes,
		servers: [server, postgres],
		async people() {
			while (!topics.exist("Selections")) await delay(10);
			await Promise.all([...Array.from({ length: random.between(1, 5) }, (_, n) => picker(n)), foreigner()]);
		},
		isQuiet: () => screens.every(({ view }) => view.isOpen),
		check() {
			checkCounts({ topics, accepted, poison, counts: counts(), stored, rows });
			for (const { view, watches } of screens) {
				const shown = new Map(view.frames.flatMap(countsIn));
				if (watches)
					for (const name of NAMES)
						assert.equal(shown.get(name), counts().get(name) ?? 0, `a screen that watches shows what is past of ${name}`);
			}
		}
	};
}
