// What a new service consists of: its files, and the lines that other files need for it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of the project and its whole new text. The path is relative to the root. */
export interface Output {
	path: string;
	text: string;
}

export class NewServiceError extends Error {}

/** Template → where its file goes inside the service's folder. */
const FILES: Record<string, (name: string) => string> = {
	contract: name => `${name}.contract.ts`,
	rules: name => `${name}.rules.ts`,
	"rules.test": name => `${name}.rules.test.ts`,
	store: name => `${name}.store.ts`,
	factory: name => `${name}.ts`,
	service: name => `${name}.service.ts`,
	suite: name => `${name}.suite.ts`,
	test: name => `${name}.test.ts`,
	"cluster.test": name => `${name}.cluster.test.ts`,
	migration: name => `migrations/001_${name}.ts`
};

/** Names that the generated files import, or that JavaScript reserves: the service's function could not have them. */
const TAKEN = new Set(
	`action actions after assert async await before boolean break broker call case catch class conflict const continue create database debugger default
	delete describe do else entry enum export extends false finally for from function if implements import in interface invalid it knex let list migrate
	mixins new null open outbox package page postgres private protected public published relay requested return scratch static store stored super switch
	table test text this throw topic topics true try typeof undefined var void where while with yield z`.split(/\s+/)
);

/** Throws `NewServiceError` unless a service can have this name. `routes`: those that exist, such as `POST /api/orders`. */
export function checkName(root: string, name: string | undefined, routes: readonly string[]): asserts name is string {
	if (!name) throw new NewServiceError("give the new service's name: npm run new:service likes");
	if (!/^[a-z]{2,24}$/.test(name))
		throw new NewServiceError(`"${name}" is not a service name: use 2 to 24 letters from a to z, such as likes`);
	if (TAKEN.has(name))
		throw new NewServiceError(`"${name}" is a name that the generated code needs itself: choose another, such as likes`);
	if (readdirSync(join(root, "services")).includes(name)) throw new NewServiceError(`services/${name} exists already`);
	const route = routes.find(one => one.split(" ")[1]?.split("/").slice(1, 3).join("/") === `api/${name}`);
	if (route) throw new NewServiceError(`the route ${route} exists already: choose another name`);
}

const fill = (template: string, name: string) =>
	template.replaceAll("__name__", name).replaceAll("__Name__", `${name[0]!.toUpperCase()}${name.slice(1)}`);

/** Inserts a line among those that match, in alphabetical order. */
function insertSorted(path: string, text: string, matching: RegExp, line: string): string {
	const lines = text.split("\n");
	const first = lines.findIndex(one => matching.test(one));
	if (first < 0) throw new NewServiceError(`${path} has no line like ${matching}: nothing was written`);
	let place = first;
	while (matching.test(lines[place] ?? "") && lines[place]!.replace(/,$/, "") < line.replace(/,$/, "")) place++;
	const isLast = !matching.test(lines[place] ?? "");
	// The last line of an object has no comma.
	if (isLast && line.endsWith(",")) {
		lines[place - 1] += ",";
		lines.splice(place, 0, line.slice(0, -1));
	} else lines.splice(place, 0, line);
	return lines.join("\n");
}

function insertBefore(path: string, text: string, anchor: string, addition: string): string {
	const place = text.indexOf(anchor);
	if (place < 0) throw new NewServiceError(`${path} has no line "${anchor.trim()}": nothing was written`);
	return text.slice(0, place) + addition + text.slice(place);
}

const securityRows = (
	name: string
) => `| \`POST /api/${name}\` | ${name}.create | owner | token against \`user_id\`, before the call |
| \`GET /api/${name}/:user_id\` | ${name}.list | owner | token against \`user_id\`, before the call |
`;

const container = (name: string) => `  ${name}:
    <<: *service
    environment: { <<: *environment, SERVICES: ${name}, NODE_ID: ${name} }

`;

/** Returns every file to write, new or changed. Writes nothing itself. */
export function newService(root: string, name: string): Output[] {
	const read = (path: string) => readFileSync(join(root, path), "utf8");
	const files = Object.entries(FILES).map(([template, file]) => ({
		path: `services/${name}/${file(name)}`,
		text: fill(readFileSync(join(import.meta.dirname, "template", `${template}.template`), "utf8"), name)
	}));
	const change = (path: string, edit: (text: string) => string) => ({ path, text: edit(read(path)) });
	return [
		...files,
		change("services/contract.ts", text =>
			insertSorted(
				"services/contract.ts",
				insertSorted(
					"services/contract.ts",
					text,
					/^import \* as \w+ from "\.\/\w+\/\w+\.contract\.ts";$/,
					`import * as ${name} from "./${name}/${name}.contract.ts";`
				),
				/^\t\w+,?$/,
				`\t${name},`
			)
		),
		change("docs/security.md", text => insertBefore("docs/security.md", text, "| `GET /api/openapi.json` ", securityRows(name))),
		change("docker-compose.yml", text => insertBefore("docker-compose.yml", text, "  kafka:\n    image:", container(name)))
	];
}
