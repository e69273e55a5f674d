//! The description of the HTTP interface (OpenAPI 3.1), made from what the handlers say of
//! themselves. What every route has in common is added here: how it refuses.

pub mod shapes;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, Ref, RefOr, Response as Described,
    ResponseBuilder,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::App;
use super::auth::COOKIE;
use crate::query::metric;

/// Which site.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the extractors of `access`, described here")]
pub struct OfSite {
    /// The site; a key must be good for it.
    site: String,
}

/// Which site, where a body may name it as well.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the extractors of `access`, described here")]
pub struct MaybeOfSite {
    /// The site, if the body does not name it.
    #[param(required = false)]
    site: String,
}

const READ: &str = "read";
const SERVER: &str = "server";
const ADMIN: &str = "admin";
const LOGIN: &str = "login";
const EDGE: &str = "edge";

fn bearer(description: &str) -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    SecurityScheme::Http(scheme.description(Some(description)).build())
}

fn schemes(components: &mut Components) {
    let of_site = "A key of that kind and of the site in question, or an admin key. ";
    let read = "A public link's token is good for it as well.";
    components.add_security_scheme(READ, bearer(&format!("{of_site}{read}")));
    components.add_security_scheme(SERVER, bearer(of_site.trim()));
    components.add_security_scheme(ADMIN, bearer("An admin key; it opens every route."));
    let cookie = ApiKeyValue::with_description(
        COOKIE,
        "What `POST /v1/login` set; it opens what an admin key does, for pages of this address.",
    );
    components.add_security_scheme(LOGIN, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let signature = ApiKeyValue::with_description(
        "Edgetally-Signature",
        "HMAC-SHA256 over headers and body with the secret that workers and aggregator share.",
    );
    components.add_security_scheme(EDGE, SecurityScheme::ApiKey(ApiKey::Header(signature)));
}

fn problem(description: &str) -> RefOr<Described> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
        .into()
}

fn bears(operation: &Operation, scheme: &str) -> bool {
    let said = serde_json::to_value(&operation.security).unwrap_or_default();
    said.as_array().is_some_and(|all| all.iter().any(|one| one.get(scheme).is_some()))
}

/// Adds what follows from how a route is protected, and from what it is asked.
fn complete(method: &str, path: &str, operation: &mut Operation) {
    let name = path.trim_matches('/').replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    operation.operation_id =
        Some(format!("{method}_{}", name.replace("__", "_").trim_end_matches('_')));
    let keys = [READ, SERVER, ADMIN].iter().any(|scheme| bears(operation, scheme));
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let names_site = |one: &RefOr<Parameter>| match one {
        RefOr::T(one) => {
            one.name == "site" && matches!(one.parameter_in, ParameterIn::Query | ParameterIn::Path)
        }
        RefOr::Ref(_) => false,
    };
    let is_of_site = parameters.iter().any(names_site) && path != "/v1/audit";
    let (is_asked, has_body) = (!parameters.is_empty(), operation.request_body.is_some());
    let mut add = |status: &str, description: &str| {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert_with(|| problem(description));
    };
    if keys {
        add("401", "`key_invalid`: no key, or one that is not known");
        add(
            "403",
            "`key_forbidden`: a key of another kind or site; `origin_not_allowed`: a login, used \
             by a page of another address",
        );
    }
    if is_asked || has_body || keys {
        add("400", "`invalid_query`: `field` names the member or parameter that is wrong");
    }
    if is_of_site {
        add("404", "`unknown_site`: there is no such site");
    }
    if has_body {
        add("413", "`body_too_large`: over 4 MiB");
    }
    if path.starts_with("/v1/") || path.starts_with("/api/") {
        add("500", "`fatal`: a fault of ours");
        add(
            "503",
            "`not_ready`: the program is starting or ending; `overloaded`: too many requests wait. \
             `Retry-After` says how many seconds to wait",
        );
    }
    if keys && let Some(security) = &mut operation.security {
        security.push(SecurityRequirement::new::<&str, [&str; 0], &str>(LOGIN, []));
    }
}

/// Names that are known here and there only: of metrics all, of dimensions those of every site.
fn name(api: &mut Value) {
    let query = &mut api["components"]["schemas"]["Query"]["properties"];
    query["metrics"]["items"]["enum"] = metric::names().collect();
    query["dimensions"]["items"]["examples"] = metric::dimension_names().collect();
}

/// The whole description.
#[must_use]
pub fn described(mut api: OpenApi) -> Value {
    api.info = InfoBuilder::new()
        .title("Edgetally aggregator")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Queries, facts, live figures and administration. docs/http-api.md explains what the \
             numbers mean.",
        ))
        .build();
    let mut components = api.components.take().unwrap_or_default();
    schemes(&mut components);
    let problem = shapes::Problem::name().into_owned();
    components.schemas.insert(problem, shapes::Problem::schema());
    api.components = Some(components);
    for (path, item) in &mut api.paths.paths {
        let all = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in all {
            if let Some(operation) = operation {
                complete(method, path, operation);
            }
        }
    }
    let mut api = serde_json::to_value(api).unwrap_or_default();
    name(&mut api);
    api
}

/// This description of the HTTP interface.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = Value)),
)]
pub async fn get(State(app): State<App>) -> Response {
    let text: Bytes = app.openapi.get().cloned().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
