// Checked by tsc: each line below an expectation is a mistake that must not compile.
import { test } from "node:test";
import { z } from "zod";
import { action } from "./action.ts";
import { lookup, roomSubscription, topic, watchedList } from "./topic.ts";

const actions = {
	"things.owner": action({ params: z.strictObject({ id: z.string() }), result: z.strictObject({ owner: z.string() }) }),
	"things.list": action({ params: z.strictObject({}), result: z.array(z.number()) }),
	"things.box": action({ params: z.strictObject({ id: z.string() }), result: z.strictObject({ version: z.number() }) })
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

test("a subscription whose action, data or messages do not fit does not compile", () => {
	const data = z.strictObject({ box: z.string() });
	const inBox = z.object({ box: z.string(), version: z.number() });
	const boxKey = ({ box }: { box: string }) => box;
	const boxParams = ({ box }: { box: string }) => ({ id: box });
	const versionOf = ({ version }: { version: number }) => version;
	const options = { data, params: boxParams, room: boxKey, versionOf };
	const boxes = roomSubscription("boxes", actions, "things.box", options);
	// @ts-expect-error no such action
	roomSubscription("boxes", actions, "things.bx", options);
	// @ts-expect-error the action has no parameter `box`
	roomSubscription("boxes", actions, "things.box", { ...options, params: ({ box }: { box: string }) => ({ box }) });
	// @ts-expect-error the client's data has no `room`
	roomSubscription("boxes", actions, "things.box", { ...options, room: ({ room }: { room: string }) => room });
	// @ts-expect-error the result has no `seq`
	roomSubscription("boxes", actions, "things.box", { ...options, versionOf: ({ seq }: { seq: number }) => seq });

	topic({ message: inBox, key: boxKey, deliveries: [{ to: { subscribersOf: boxes }, event: "box:changed" }] });
	// @ts-expect-error the message has neither a box nor a version
	topic({ message, key, deliveries: [{ to: { subscribersOf: boxes }, event: "box:changed" }] });
	// @ts-expect-error only Socket.IO clients subscribe
	topic({ message: inBox, key: boxKey, deliveries: [{ to: { subscribersOf: boxes }, frame: "Box" }] });
});
