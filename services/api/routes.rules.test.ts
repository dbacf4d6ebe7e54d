import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { routes } from "./routes.ts";

const schemas = { params: z.strictObject({}), result: z.strictObject({}) };

describe("the gateway's routes", () => {
	it("are those that the contracts declare, with HEAD for every GET", () => {
		const contracts = {
			"cart.get": action({ ...schemas, who: "anyone", rest: "GET /cart" }),
			"cart.fill": action({ ...schemas, who: "account", rest: "POST /cart" }),
			"cart.burn": action({ ...schemas, who: "admin" }),
			"cart.count": action(schemas)
		};
		assert.deepEqual(routes(contracts), { "GET /cart": "cart.get", "HEAD /cart": "cart.get", "POST /cart": "cart.fill" });
	});

	it("throw when a contract has a route but does not say who may call it", () => {
		assert.throws(() => routes({ "cart.fill": action({ ...schemas, rest: "POST /cart" }) }), /cart\.fill/);
	});
});
