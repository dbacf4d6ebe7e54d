// Checked by tsc: each line below an expectation is a mistake that must not compile.
import { test } from "node:test";
import { z } from "zod";
import { action } from "./action.ts";
import { lookup, topic, watchedList } from "./topic.ts";

const actions = {
	"things.owner": action({ params: z.strictObject({ id: z.string() }), result: z.strictObject({ owner: z.string() }) }),
	"things.list": action({ params: z.strictObject({}), result: z.array(z.number()) })
};
const message = z.object({ id: z.string(), owner: z.string().optional() });
type Thing = z.output<typeof message>;
const key = ({ id }: Thing) => id;
const latest = { versions: () => [] };
const params = ({ id }: Thing) => ({ id });
const id = ({ owner }: { owner: string }) => owner;
const add = (list: number[]) => list;

test("a delivery that names an unknown action, or lacks its recipient or name, does not compile", () => {
	lookup(actions, "things.owner", { params, id });
	// @ts-expect-error no such action
	lookup(actions, "things.ownr", { params, id });
	// @ts-expect-error the action has no parameter `thing`
	lookup(actions, "things.owner", { params: ({ id }: Thing) => ({ thing: id }), id });
	// @ts-expect-error the result has no `user`
	lookup(actions, "things.owner", { params, id: ({ user }) => user });

	watchedList("things", actions, "things.list", { apply: add, latest });
	// @ts-expect-error no such action
	watchedList("things", actions, "things.lst", { apply: add, latest });
	// @ts-expect-error a snapshot has no parameters
	watchedList("things", actions, "things.owner", { apply: (owner: { owner: string }) => owner, latest });
	// @ts-expect-error the list has numbers
	watchedList("things", actions, "things.list", { apply: () => ["text"], latest });

	topic({ message, key, deliveries: [{ to: { user: ({ owner }) => owner }, frame: "Thing", event: "thing" }] });
	const unchecked = { action: "things.ownr", params, id: String };
	// @ts-expect-error only lookup() makes a lookup
	topic({ message, key, deliveries: [{ to: { user: key, lookup: unchecked }, frame: "Thing" }] });
	// @ts-expect-error the message has no `buyer`
	topic({ message, key, deliveries: [{ to: { user: ({ buyer }) => buyer }, frame: "Thing" }] });
	// @ts-expect-error neither a frame nor an event
	topic({ message, key, deliveries: [{ to: { room: ({ id }) => `thing:${id}` } }] });
	// @ts-expect-error everyone gets events only
	topic({ message, key, deliveries: [{ to: "everyone", frame: "Thing" }] });
	// @ts-expect-error Socket.IO does not conflate
	topic({ message, key, deliveries: [{ to: { user: key }, event: "thing", latest }] });
});
