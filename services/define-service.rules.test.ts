import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noTopics } from "../test/no-topics.ts";
import { defineService } from "./define-service.ts";

describe("a service with topics", () => {
	const consumer = { name: "purchase", topics: { user_purchase: async () => {} } } as const;
	const publisher = { name: "purchase", publishes: ["WalletBalance"] } as const;
	const missing = (topic: string) =>
		`service "purchase" lists topics (${topic}), but its mixins have no topics mixin: add withTopics()`;

	it("is refused without the topics mixin, whether it consumes or publishes", () => {
		assert.throws(() => defineService(consumer), { message: missing("user_purchase") });
		assert.throws(() => defineService({ ...consumer, mixins: [{ methods: {} }] }), { message: missing("user_purchase") });
		assert.throws(() => defineService(publisher), { message: missing("WalletBalance") });
	});

	it("is defined with the topics mixin, also inside another mixin", () => {
		assert.equal(defineService({ ...consumer, mixins: [noTopics] }).name, "purchase");
		assert.equal(defineService({ ...publisher, mixins: [{ mixins: [noTopics as never] }] }).name, "purchase");
	});

	it("needs no mixin where it has no topics", () => {
		assert.equal(defineService({ name: "purchase" }).name, "purchase");
	});
});

// Checked by tsc: each of these mistakes does not compile.
export const mistakes = () => [
	defineService({
		name: "wallet",
		methods: {
			unlisted() {
				// @ts-expect-error: without `publishes` there is nothing to publish
				return this.publish("WalletBalance", { user_id: "1", balances: { total: 1 } });
			}
		}
	}),
	defineService({
		name: "wallet",
		publishes: ["WalletBalance"],
		methods: {
			listed() {
				return this.publish("WalletBalance", { user_id: "1", balances: { total: 1 } });
			},
			another() {
				// @ts-expect-error: a topic that `publishes` does not list
				return this.publish("Selections", { user_id: "1", name: "a", id: "1" });
			}
		}
	}),
	// @ts-expect-error: a topic that no contract declares
	defineService({ name: "wallet", publishes: ["WalletBalances"] }),
	// @ts-expect-error: a topic that no contract declares
	defineService({ name: "wallet", topics: { user_purchases: async () => {} } }),
	// @ts-expect-error: a service that does not exist
	defineService({ name: "wallet", dependencies: ["walet"] })
];
