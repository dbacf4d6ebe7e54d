// Whether a schema that uses topics has the mixin that serves them: without it Moleculer ignores `topics`, and no message is ever handled.
import type { ServiceSchema } from "moleculer";

type Schema = Partial<ServiceSchema> & { topics?: Record<string, unknown> };

const IS_TOPICS_MIXIN = Symbol.for("@plaza/mixins/topics");

/** Marks a mixin as the one that serves `topics` and `publish`. */
export const markTopicsMixin = (mixin: Partial<ServiceSchema>): Partial<ServiceSchema> =>
	Object.assign(mixin, { [IS_TOPICS_MIXIN]: true });

/** Whether a schema has the topics mixin, directly or through another mixin. */
export const hasTopicsMixin = (schema: Partial<ServiceSchema>): boolean =>
	IS_TOPICS_MIXIN in schema || [schema.mixins ?? []].flat().some(hasTopicsMixin);

/** Whether a function of the schema publishes. It reads their source: what they do is known only when they run, and that is too late. */
function publishes(schema: object): boolean {
	return Object.values(schema).some(value => {
		if (typeof value === "function") return /\bthis\.publish\b/.test(Function.prototype.toString.call(value));
		const isPlain = typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
		return isPlain && publishes(value);
	});
}

/** Throws, naming the service, when a schema lists `topics` or calls `this.publish` without having the topics mixin. */
export function requireTopicsMixin(schema: Schema): void {
	if (hasTopicsMixin(schema)) return;
	const uses = schema.topics
		? `topics (${Object.keys(schema.topics).join(", ")})`
		: publishes(schema)
			? "this.publish"
			: undefined;
	if (uses) throw new Error(`service "${schema.name}" uses ${uses} without the topics mixin: add it to the service's mixins`);
}
