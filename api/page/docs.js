// Starts Swagger UI at /docs. It is a file of its own because the policy of the pages forbids scripts inside the HTML.

// Swagger UI has dark colours, and leaves the choice to a class.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

if (window.SwaggerUIBundle === undefined)
  document.querySelector(".loading").textContent = "The list of calls did not load, because a part of the page did not arrive. Reload it.";
else SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  // Without this, Swagger UI may ask a validator on its maker's host about the document.
  validatorUrl: null,
});
