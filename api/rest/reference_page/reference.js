"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0, // their list is longer than that of the operations, which show them in any case
  tryItOutEnabled: true,
  validatorUrl: null,
});
