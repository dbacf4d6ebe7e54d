import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { type ActionContract, action } from "../../contract/action.ts";
import { routes } from "./routes.ts";

const schemas = { params: z.strictObject({}), result: z.strictObject({}) };

describe("the gateway's routes", () => {
	it("are those that the contracts declare, with HEAD for every GET", () => {
		const contracts = {
			"cart.get": action({ ...schemas, who: "anyone", rest: "GET /cart" }),
			"cart.fill": action({ ...schemas, who: "account", rest: "POST /cart" }),
			"cart.replace": action({ ...schemas, who: "account", rest: "PUT /cart" }),
			"cart.remove": action({ ...schemas, who: "account", rest: "DELETE /cart/:id" }),
			"cart.burn": action({ ...schemas, who: "admin" }),
			"cart.count": action(schemas)
		};
		assert.deepEqual(routes(contracts), {
			"GET /cart": "cart.get",
			"HEAD /cart": "cart.get",
			"POST /cart": "cart.fill",
			"PUT /cart": "cart.replace",
			"DELETE /cart/:id": "cart.remove"
		});
	});

	it("throw when a contract has a route but does not say who may call it", () => {
		assert.throws(() => routes({ "cart.fill": action({ ...schemas, rest: "POST /cart" }) }), /cart\.fill/);
	});

	it("throw when others than admins could send a larger body, or when clients could not share a response with an etag", () => {
		const maxBody = { bytes: 100_000, values: 10_000 };
		const etag = () => "1";
		const of = (contract: Partial<ActionContract>) =>
			routes({ "cart.all": action({ ...schemas, who: "anyone", rest: "GET /cart", ...contract }) });
		for (const who of ["anyone", "owner", "account"] as const)
			assert.throws(() => of({ who, rest: "POST /cart", maxBody }), /cart\.all has a maxBody/, who);
		for (const who of ["owner", "account", "admin"] as const)
			assert.throws(() => of({ who, etag }), /cart\.all has an etag/, who);
		assert.throws(() => of({ rest: "POST /cart", etag }), /cart\.all has an etag/);
		assert.deepEqual(Object.keys(of({ who: "admin", rest: "POST /cart", maxBody })), ["POST /cart"]);
		assert.deepEqual(Object.keys(of({ etag })), ["GET /cart", "HEAD /cart"]);
	});
});
