// The gateway's own action: the OpenAPI document of all routes, which the contracts of the services declare by `rest`.
import { z } from "zod";
import { action } from "../../contract/action.ts";

export const OpenApiDocument = z.looseObject({
	openapi: z.string(),
	info: z.looseObject({ title: z.string(), version: z.string() }),
	paths: z.record(z.string(), z.unknown())
});

export const actions = {
	"api.openapi": action({
		summary: "Describes every route, in OpenAPI 3.1",
		params: z.strictObject({}),
		result: OpenApiDocument,
		example: { params: {}, result: { openapi: "3.1.1", info: { title: "Plaza", version: "0.1.0" }, paths: {} } },
		who: "anyone",
		rest: "GET /api/openapi.json"
	})
};

export const topics = {};

export type OpenApiDocument = z.output<typeof OpenApiDocument>;
