"""HTML pages: the sign-in page with its recorded content-security policy, and Next's 404."""

from aiohttp import web

from .answers import HTML

_CSP = (
    "default-src 'self' https://*.langfuse.com https://*.langfuse.dev https://*.posthog.com "
    "https://*.sentry.io;"
    "  script-src 'self' 'unsafe-eval' 'unsafe-inline' https://*.langfuse.com https://*.langfuse.dev "
    "https://challenges.cloudflare.com https://*.sentry.io  https://static.cloudflareinsights.com "
    "https://*.stripe.com https://login.microsoftonline.com https://login.microsoft.com "
    "https://*.microsoftonline.com;"
    "  style-src 'self' 'unsafe-inline' https://fonts.googleapis.com https://login.microsoftonline.com "
    "https://login.microsoft.com https://*.microsoftonline.com;"
    "  img-src 'self' https: blob: data: http://localhost:* "
    "https://prod-uk-services-workspac-workspacefilespublicbuck-vs4gjqpqjkh6.s3.amazonaws.com "
    "https://prod-uk-services-attachm-attachmentsbucket28b3ccf-uwfssb4vt2us.s3.eu-west-2.amazonaws.com "
    "https://i0.wp.com;"
    "  font-src 'self';"
    "  frame-src 'self' https://challenges.cloudflare.com https://*.stripe.com "
    "https://login.microsoftonline.com https://login.microsoft.com https://*.microsoftonline.com;"
    "  worker-src 'self' blob:;"
    "  object-src 'none';"
    "  base-uri 'self';"
    "  form-action 'self' https://login.microsoftonline.com https://login.microsoft.com "
    "https://*.microsoftonline.com;"
    "  frame-ancestors 'none';"
    "  connect-src 'self' http://localhost:* https://*.langfuse.com https://*.langfuse.dev "
    "https://*.ingest.us.sentry.io https://*.sentry.io https://chat.uk.plain.com https://*.amazonaws.com "
    "https://*.blob.core.windows.net https://storage.googleapis.com "
    "https://prod-uk-services-attachm-attachmentsuploadbucket2-1l2e4906o2asm.s3.eu-west-2.amazonaws.com "
    "https://login.microsoftonline.com https://login.microsoft.com https://*.microsoftonline.com "
    "https://graph.microsoft.com;"
    "  media-src 'self' https: http://localhost:*;"
    "    "
)
_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charSet="utf-8"/><meta name="viewport" '
    'content="width=device-width, initial-scale=1"/><title>{title}</title></head><body><div id="__next">{body}</div>'
    "<p>Langfuse contract stand-in</p></body></html>"
)


def page(title: str, body: str, status: int = 200) -> web.Response:
    headers = {"Content-Type": HTML, "Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff"}
    return web.Response(status=status, text=_PAGE.format(title=title, body=body), headers=headers)


def sign_in() -> web.Response:
    return page("Sign in | Langfuse", "<h2>Sign in to your account</h2>")


def home() -> web.Response:
    return page("Langfuse", "Loading ...")


def missing() -> web.Response:
    return page("404: This page could not be found", "<h1>404</h1>", 404)
