import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { openEmbedded } from "../../mixins/database/embedded.ts";
import { isoTime } from "./purchase.rules.ts";
import { purchaseSuite } from "./purchase.suite.ts";

purchaseSuite("embedded", async () => {
	const dir = await mkdtemp(join(tmpdir(), "plaza-purchase-"));
	const database = openEmbedded(dir);
	const close = async () => {
		await database.close();
		await rm(dir, { recursive: true });
	};
	return { databases: [database, database], close };
});

it("reads only times that there are", () => {
	assert.equal(isoTime("2024-02-29T23:59:59.5Z"), "2024-02-29T23:59:59.500Z");
	assert.equal(isoTime("2024-01-01T00:30:00+01:00"), "2023-12-31T23:30:00.000Z");
	for (const none of [
		undefined,
		"",
		"now",
		"2024-02-30T00:00:00Z",
		"2024-01-01",
		"9999-12-31T23:59:59-01:00",
		"0000-06-01T00:00:00Z"
	])
		assert.equal(isoTime(none), undefined, none);
});
