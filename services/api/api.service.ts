import { config } from "../../runtime/config.ts";
import { limits } from "../../runtime/drivers.ts";
import { api } from "./api.ts";

export default api({ ...config, limits: limits() });
