import assert from "node:assert/strict";
import { test } from "node:test";
import { metaHeaders } from "./headers.ts";

const IDS = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const carried = (traceparent: string) => metaHeaders({ traceparent }, []).traceparent;

test("a valid traceparent is carried, also one of a later version with more fields", () => {
	for (const valid of [`00-${IDS}`, `01-${IDS}`, `01-${IDS}-more`]) assert.equal(carried(valid), valid);
});

test("an invalid traceparent is left out", () => {
	for (const invalid of [`ff-${IDS}`, `00-${IDS}-more`, `01-${IDS}more`, `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, "00", ""])
		assert.equal(carried(invalid), undefined, invalid);
});
